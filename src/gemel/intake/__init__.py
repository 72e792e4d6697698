"""New posts and corrections for a retraining, decided row by row: what comes in, what waits, what a person must see."""
