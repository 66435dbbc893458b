//! Typed dependency edges between resources, their order, and cycles by name.
