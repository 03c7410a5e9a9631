//! Stories over the virtual network.
