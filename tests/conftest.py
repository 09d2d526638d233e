"""What all tests share: nothing, on purpose. Fixtures live beside the tests that need them."""
