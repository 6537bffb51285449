//! The macros that declare numbers.
//!
//! Each declaration also has `ALL`: names and values, for traces and for the tests.

/// Declares a type for numbers of which one is given at a time.
macro_rules! numbers {
    ($(#[$meta:meta])* pub struct $type:ident($raw:ty) { $($(#[$doc:meta])* $name:ident = $value:expr,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $type(pub $raw);

        impl $type {
            $(#[doc = concat!("`", stringify!($name), "`.")] $(#[$doc])* pub const $name: Self = Self($value);)*

            /// Names and values.
            pub const ALL: &[(&str, i128)] = &[$((stringify!($name), Self::$name.0 as i128),)*];
        }
    };
}

/// Declares a type for sets of bits.
macro_rules! flags {
    ($(#[$meta:meta])* pub struct $type:ident($raw:ty) { $($(#[doc = $doc:literal])* $name:ident = $value:expr,)* }) => {
        bitflags::bitflags! {
            $(#[$meta])*
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
            pub struct $type: $raw {
                $(#[doc = concat!("`", stringify!($name), "`.")] $(#[doc = $doc])* const $name = $value;)*
            }
        }

        impl $type {
            /// Names and values.
            pub const ALL: &[(&str, i128)] = &[$((stringify!($name), Self::$name.bits() as i128),)*];
        }
    };
}

/// Declares single values; once per module.
macro_rules! constants {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $value:expr;)*) => {
        $(#[doc = concat!("`", stringify!($name), "`.")] $(#[$doc])* pub const $name: $type = $value;)*

        #[cfg(test)]
        pub(crate) const ALL: &[(&str, i128)] = &[$((stringify!($name), $name as i128),)*];
    };
}
