//! The configuration of the sockets.

use peer_transport::EndpointConfig;

/// The configuration of a [`Driver`](crate::Driver).
#[derive(Clone, Debug)]
pub struct DriverConfig {
    /// The configuration of the endpoint, with the limits for all peers together.
    pub endpoint: EndpointConfig,
    /// The maximum number of bytes that wait for one blocked socket. 1 MiB by default: at 100 Mbit/s this is 80 ms, and
    /// later media is better refused than delayed.
    pub max_queued: usize,
    /// The kernel's receive buffer per socket, in bytes; `None` keeps the default. The kernel may grant less
    /// (`net.core.rmem_max`).
    pub receive_buffer: Option<usize>,
    /// The kernel's send buffer per socket, in bytes; `None` keeps the default.
    pub send_buffer: Option<usize>,
}

impl Default for DriverConfig {
    fn default() -> Self {
        Self {
            endpoint: EndpointConfig::default(),
            max_queued: 1 << 20,
            receive_buffer: None,
            send_buffer: None,
        }
    }
}
