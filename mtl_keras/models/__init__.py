"""Networks: trunks, heads, ways of sharing, and the layers and weight files that they need."""
