//! What is read and written but is no file: pipes, event sources, polling, sockets.
