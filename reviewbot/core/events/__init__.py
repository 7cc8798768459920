"""Events of a review, and the report that they form."""
