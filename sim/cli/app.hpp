/// The program `squall`: its commands and their exit codes.
#pragma once

namespace cli {

/// Runs the command line. Returns the exit code: 0 all is well, 1 an expectation does not hold, 2 the input is wrong, 3 an output cannot be written,
/// 130 interrupted.
int run(int argc, char** argv);

}  // namespace cli
