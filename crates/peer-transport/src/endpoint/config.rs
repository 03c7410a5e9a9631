//! What an endpoint holds at most, and why.

/// The bounds of an [`Endpoint`](crate::Endpoint).
#[derive(Clone, Debug)]
pub struct EndpointConfig {
    /// How many peers there may be at once. 65,536 by default: some 25 kB each.
    pub max_peers: usize,
    /// How many paths lead to one peer. A peer that is authenticated can come from as many
    /// addresses as it likes, and each takes a place in the index. 64 by default, more than a
    /// host with IPv4, IPv6 and relays on every interface uses.
    pub max_paths_per_peer: usize,
    /// How many paths [`Endpoint::set_forward`](crate::Endpoint::set_forward) may give away. 65,536 by default.
    pub max_forwards: usize,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self { max_peers: 65_536, max_paths_per_peer: 64, max_forwards: 65_536 }
    }
}
