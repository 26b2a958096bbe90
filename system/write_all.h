// write(2) until all is written. It waits where the descriptor does, also for one that somebody has
// made non-blocking, as terminals and pipes shared with other programs may be.
//
//   std::size_t done = 0;
//   const int error = WriteAll(file, text, &done);   // errno, or 0; `done` bytes are written
//
// Thread-safe for different descriptors.
#pragma once

#include <cstddef>
#include <string_view>

namespace tocsin {

int WriteAll(int descriptor, std::string_view bytes, std::size_t* done);

// To standard output, which whoever calls this has for itself until all is written: lines longer
// than a pipe's buffer do not mix.
int WriteToStdout(std::string_view bytes, std::size_t* done);

// For the calling thread. A reader that went away is an error of one write (EPIPE); the signal
// would end the process.
void BlockSigpipe();

}  // namespace tocsin
