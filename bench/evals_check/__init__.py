"""Known results, reproduced from recorded answers: what the product's own statistics say of them."""
