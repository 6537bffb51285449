//! Turns an OCI image into a confidential one.
