//! The limits of an endpoint and their reasons.

/// The limits of an [`Endpoint`](crate::Endpoint). Construct them with `..EndpointConfig::default()`.
#[derive(Clone, Debug)]
pub struct EndpointConfig {
    /// The maximum number of peers. 65,536 by default, at about 25 kB each.
    pub max_peers: usize,
    /// The maximum number of paths to one peer. An authenticated peer can use any number of addresses, and each
    /// has an entry in the index. 64 by default, more than a host with IPv4, IPv6 and relays on every interface
    /// uses.
    pub max_paths_per_peer: usize,
    /// The maximum number of paths for [`Endpoint::set_forward`](crate::Endpoint::set_forward). 65,536 by
    /// default.
    pub max_forwards: usize,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self { max_peers: 65_536, max_paths_per_peer: 64, max_forwards: 65_536 }
    }
}
