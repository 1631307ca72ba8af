"""What can be said of built rules before a server loads them: when their alerts would have fired, over real history."""
