// Files and folders that only the user who runs the program may read: tokens, what could not be
// used of other people's records, state.
//
//   TOCSIN_RETURN_IF_ERROR(MakePrivateDirectory("./state"));
//   TOCSIN_RETURN_IF_ERROR(WritePrivateFile("./state/token", token + "\n"));
//
// Errors name the path and the reason. Thread-safe for different paths.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tocsin {

// The folder and those above it that are missing, with mode 0700; one that is there keeps its own.
absl::Status MakePrivateDirectory(const std::string& path);

// open(2) with these flags and O_CREAT; the file has mode 0600 afterwards, also one that was there.
absl::StatusOr<int> OpenPrivate(const std::string& path, int flags);

// The whole content or, after a crash, what was there before; durable, mode 0600.
absl::Status WritePrivateFile(const std::string& path, std::string_view content);

// Where a tocsin with this state folder keeps the token that it has made for itself.
std::string OwnTokenFile(const std::string& state_dir);

// The first line of the file or, where there is none, of one that is made: 64 random hex digits.
// The file has mode 0600 afterwards, where that can be.
absl::StatusOr<std::string> EnsureToken(const std::string& path);

}  // namespace tocsin
