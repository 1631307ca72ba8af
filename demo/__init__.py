"""A living synthetic platform and the local stack around it. A customer of the house: nothing outside imports it."""
