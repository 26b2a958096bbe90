// Where a secret is to be found: in a file or in an environment variable, never in the
// configuration.
//
//   input.password = ReadSecretSource("sasl_password", &reader);  // keys …_file, …_env
//   TOCSIN_ASSIGN_OR_RETURN(std::string password, input.password.Read());
//
// Read when it is needed, and again each time, so that a configuration can be checked and replayed
// where the secrets are not, and one that was renewed counts at once. Values; thread-safe.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "config/node.h"

namespace tocsin {

struct SecretSource {
  std::string file, variable;  // at most one
  bool empty() const { return file.empty() && variable.empty(); }
  // One word of printable ASCII, or an error that says what is wrong with which.
  absl::StatusOr<std::string> Read() const;
};

// The keys `<key>_file` and `<key>_env`, both of which may be missing.
SecretSource ReadSecretSource(const std::string& key, ConfigReader* reader);

}  // namespace tocsin
