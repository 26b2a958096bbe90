// Reads files that hold secrets: a token, or several while they are rotated.
//
//   TOCSIN_ASSIGN_OR_RETURN(const std::string token, ReadToken("/etc/tocsin/token"));
//
// Errors name the path. Nothing is cached, so that a file that was renewed counts at once.
// Thread-safe: pure functions over files.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace tocsin {

// At most about so many bytes of a file; nullopt with the system's message in `error`.
std::optional<std::string> ReadFileText(const std::string& path, std::size_t bytes_max,
                                        std::string* error);

// The first line of a token file; empty where `path` is.
absl::StatusOr<std::string> ReadToken(const std::string& path);
// Every line up to the first empty one, at most 16; none where `path` is empty.
absl::StatusOr<std::vector<std::string>> ReadSecrets(const std::string& path);

}  // namespace tocsin
