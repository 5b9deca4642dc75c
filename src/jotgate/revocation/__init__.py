"""Taking tokens back: rules in a store, and a mirror of them that answers every verification without I/O."""
