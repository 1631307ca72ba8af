-- Cells of facts are exact: a correction takes from one what it gives to another. What counters need so that they do not fall
-- then is kept beside them, for each set of labels that metrics show; a row that a correction moves between two cells is one row
-- to a counter that shows no difference between these. What was added to cells before stays in them, so no counter falls.
CREATE OR REPLACE VIEW analytics.counters AS
SELECT fact, labels, analytics.total(n) AS n, analytics.total(s1) AS s1, analytics.total(s2) AS s2,
       analytics.total(s3) AS s3, analytics.total(s4) AS s4, analytics.total(s5) AS s5, analytics.total(s6) AS s6,
       analytics.total(h0) AS h0, analytics.total(h1) AS h1, analytics.total(h2) AS h2, analytics.total(h3) AS h3,
       analytics.total(h4) AS h4, analytics.total(h5) AS h5, analytics.total(h6) AS h6, analytics.total(h7) AS h7,
       analytics.total(h8) AS h8, analytics.total(h9) AS h9, analytics.total(h10) AS h10, analytics.total(h11) AS h11,
       analytics.total(h12) AS h12, analytics.total(h13) AS h13, analytics.total(h14) AS h14, analytics.total(h15) AS h15,
       analytics.total(h16) AS h16, analytics.total(h17) AS h17, analytics.total(h18) AS h18, analytics.total(h19) AS h19,
       analytics.total(h20) AS h20, analytics.total(h21) AS h21, analytics.total(h22) AS h22, analytics.total(h23) AS h23,
       analytics.total(h24) AS h24, analytics.total(h25) AS h25, analytics.total(h26) AS h26, analytics.total(h27) AS h27
FROM analytics.cells WHERE fact NOT LIKE 'stock:%' AND fact NOT LIKE 'amends:%' GROUP BY fact, labels;
COMMENT ON VIEW analytics.counters IS
    'How often things happened since counting began, as is known now: a correction moves what it corrects from cell to cell';
COMMENT ON TABLE analytics.totals IS
    'One row a fact and label set, as of the last fold. Facts say what happened, stocks (stock:…) what is, and amends '
    '(amends:…) what is to be added to facts so that a counter of these labels does not fall by corrections';
COMMENT ON VIEW analytics.cells IS 'All facts, stocks and amends at this moment: several rows a cell, to be summed';
