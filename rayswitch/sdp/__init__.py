"""Session descriptions: reading, writing, and putting our addresses into them."""
