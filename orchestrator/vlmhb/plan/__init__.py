"""Planning: what would run and why. Pure: facts and a view of the store go in, a frozen plan comes out."""
