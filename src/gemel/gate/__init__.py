"""The gate: whether a challenger takes the champion's place, and the card that says why."""
