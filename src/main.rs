//! The `enact` binary: hands the arguments to the library and exits with its code.

use std::process::ExitCode;

use enact::cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::announce_bugs();
    cli::guarded(|| cli::run(std::env::args_os())).exit_code()
}
