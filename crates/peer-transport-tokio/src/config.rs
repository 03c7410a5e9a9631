//! What an application decides about the sockets.

use peer_transport::EndpointConfig;

/// How a [`Driver`](crate::Driver) behaves.
#[derive(Clone, Debug)]
pub struct DriverConfig {
    /// The peers' endpoint: bounds that hold for all of them together.
    pub endpoint: EndpointConfig,
    /// How many bytes may wait for one socket that takes no more. 1 MiB by default: at 100 Mbit/s
    /// this is 80 ms, and what would wait longer is better refused than delivered late.
    pub max_queued: usize,
    /// The kernel's receive buffer per socket, in bytes; `None` leaves it as it is. The kernel may
    /// grant less (`net.core.rmem_max`).
    pub receive_buffer: Option<usize>,
    /// The kernel's send buffer per socket, in bytes; `None` leaves it as it is.
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
