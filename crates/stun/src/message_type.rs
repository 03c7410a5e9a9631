//! Class and method, and the interleaving of their bits in the header (RFC 8489 section 5).

/// The type of a message: a method and one of the four classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageType {
    /// Request, indication, success response or error response.
    pub class: Class,
    /// The primary function.
    pub method: Method,
}

impl MessageType {
    /// A Binding request; in ICE, a connectivity or consent check.
    pub const BINDING_REQUEST: Self = Self { class: Class::Request, method: Method::BINDING };
    /// A Binding indication; in ICE, a keepalive.
    pub const BINDING_INDICATION: Self = Self { class: Class::Indication, method: Method::BINDING };
    /// A Binding success response.
    pub const BINDING_SUCCESS: Self = Self { class: Class::Success, method: Method::BINDING };
    /// A Binding error response.
    pub const BINDING_ERROR: Self = Self { class: Class::Error, method: Method::BINDING };

    /// Returns the 14 bits of the header below two zero bits.
    #[must_use]
    pub const fn to_wire(self) -> u16 {
        let method = self.method.0;
        let class = match self.class {
            Class::Request => 0x0000,
            Class::Indication => 0x0010,
            Class::Success => 0x0100,
            Class::Error => 0x0110,
        };
        (method & 0x000f) | ((method & 0x0070) << 1) | ((method & 0x0f80) << 2) | class
    }

    /// Decodes the first two bytes of a message. Returns `None` if the two uppermost bits are not zero.
    #[must_use]
    pub const fn from_wire(bits: u16) -> Option<Self> {
        if bits & 0xc000 != 0 {
            return None;
        }
        let class = match bits & 0x0110 {
            0x0000 => Class::Request,
            0x0010 => Class::Indication,
            0x0100 => Class::Success,
            _ => Class::Error,
        };
        let method = (bits & 0x000f) | ((bits & 0x00e0) >> 1) | ((bits & 0x3e00) >> 2);
        Some(Self { class, method: Method(method) })
    }
}

/// The class of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Expects a response.
    Request,
    /// Expects no response.
    Indication,
    /// The response to a request that succeeded.
    Success,
    /// The response to a request that failed, with an [`ErrorCode`](crate::ErrorCode).
    Error,
}

/// A method: 12 bits. ICE uses Binding only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Method(u16);

impl Method {
    /// Binding (RFC 8489 section 3).
    pub const BINDING: Self = Self(0x001);

    /// Returns the method with this number, or `None` if the number needs more than 12 bits.
    #[must_use]
    pub const fn new(number: u16) -> Option<Self> {
        if number > 0x0fff { None } else { Some(Self(number)) }
    }

    /// Returns the number, at most 0xfff.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binding_has_the_numbers_of_the_rfc() {
        assert_eq!(MessageType::BINDING_REQUEST.to_wire(), 0x0001);
        assert_eq!(MessageType::BINDING_INDICATION.to_wire(), 0x0011);
        assert_eq!(MessageType::BINDING_SUCCESS.to_wire(), 0x0101);
        assert_eq!(MessageType::BINDING_ERROR.to_wire(), 0x0111);
    }

    #[test]
    fn all_fourteen_bits_decode_as_encoded() {
        for bits in 0..=0x3fff {
            assert_eq!(MessageType::from_wire(bits).unwrap().to_wire(), bits);
        }
        for bits in 0x4000..=0xffff {
            assert_eq!(MessageType::from_wire(bits), None);
        }
    }

    #[test]
    fn method_has_twelve_bits() {
        assert_eq!(Method::new(0x0fff).unwrap().number(), 0x0fff);
        assert_eq!(Method::new(0x1000), None);
    }
}
