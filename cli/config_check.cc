#include "cli/config_check.h"

#include <cstdio>

#include "detectors/registry.h"
#include "ingest/decoder.h"
#include "ingest/formats/detect_format.h"
#include "runtime/engine_setup.h"
#include "sinks/sink.h"

namespace tocsin {
namespace {

void CheckKinds(const Config& config, ErrorList* errors) {
  NewDetectors(config, errors);
  NewSinks(config, errors);
  for (const InputConfig& input : config.inputs) {
    // What `auto` means is known once there is a file.
    if (!input.file || input.http || input.format != kAutoFormat) NewDecoder(input, errors);
  }
}

}  // namespace

std::optional<Config> CheckedConfig(const std::string& path_or_profile, ErrorList* errors) {
  const std::size_t before = errors->count();
  std::optional<Config> config = ReadConfig(path_or_profile, errors);
  if (config) CheckKinds(*config, errors);
  if (errors->count() != before) config.reset();
  return config;
}

std::optional<Config> CheckedConfigText(const std::string& text, const std::string& name,
                                        ErrorList* errors) {
  const std::size_t before = errors->count();
  std::optional<Config> config = ReadConfigText(text, name, errors);
  CheckKinds(*config, errors);
  if (errors->count() != before) config.reset();
  return config;
}

std::optional<Config> LoadOrExplain(const std::string& path, ErrorList::Secrets secrets) {
  ErrorList errors(secrets);
  std::optional<Config> config = CheckedConfig(path, &errors);
  if (!config) std::fprintf(stderr, "%s\n", ErrorsText(errors).c_str());
  return config;
}

}  // namespace tocsin
