"""Events of a review, and the report that they add up to."""
