//! Memory management: address spaces, mappings, population and call-site patching.
