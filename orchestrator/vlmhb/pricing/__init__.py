"""What models and machines cost: price tables that the user keeps, read, checked and looked up."""
