// All that is wrong with a configuration: what every folder knows of its own part.
//
//   ErrorList errors(ErrorList::Secrets::kNotNeeded);
//   std::optional<Config> config = CheckedConfig("tocsin.yaml", &errors);    // or "@rupaya"
//   if (!config) std::fputs(ErrorsText(errors).c_str(), stderr);
//
// An error keeps no other from being found, unless that depends on it. Nothing is connected to.
// Thread-safe.
#pragma once

#include <optional>
#include <string>

#include "config/config.h"

namespace tocsin {

// nullopt when anything is wrong with it.
std::optional<Config> CheckedConfig(const std::string& path_or_profile, ErrorList* errors);
// The same of a text, for tests.
std::optional<Config> CheckedConfigText(const std::string& text, const std::string& name,
                                        ErrorList* errors);

// Prints every error on stderr; nullopt then.
std::optional<Config> LoadOrExplain(const std::string& path,
                                    ErrorList::Secrets secrets = ErrorList::Secrets::kNotNeeded);
}  // namespace tocsin
