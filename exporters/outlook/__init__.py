"""What is to come and what to do: forecasts with their trials on the past, and advice, both made anew a few times a day.

The statistics need libraries that take more memory than the whole exporter. So a process of its own is started for them, gets
figures on its input, writes figures to its output and ends; it knows no database and no secret.

- `series`, `evidence`     what is asked of schema `analytics`
- `launch`                 starts the process, and ends it when it takes too long
- `collector`, `tables`    when it is started; where its figures go
- `__main__`               the process; only this and what follows knows the libraries
- `methods`, `trials`      forecasts, and how they would have done
- `comparison`, `money`, `waiting`   the tests, and the rules of advice
"""
