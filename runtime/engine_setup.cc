#include "runtime/engine_setup.h"

#include "detectors/registry.h"
#include "ingest/decoder.h"

namespace tocsin {

std::unique_ptr<EngineSetup> EngineSetup::Build(const Config* config, ErrorList* errors) {
  auto setup = std::make_unique<EngineSetup>();
  setup->config = config;
  setup->detectors = NewDetectors(*config, errors);
  if (!errors->empty()) return nullptr;
  setup->plan = CompilePlan(*config, setup->detectors);
  return setup;
}

absl::StatusOr<std::unique_ptr<SourcePartition>> EngineSetup::NewPartition(
    const InputConfig& input, const std::string& source, DeadLetterObserver* dead_letters) const {
  ErrorList errors;
  std::unique_ptr<Decoder> decoder = NewDecoder(input, &errors);
  if (decoder == nullptr) return absl::InvalidArgumentError(ErrorsText(errors));
  return std::make_unique<SourcePartition>(SourcePartition::Options{.plan = &plan,
                                                                    .input = input.name,
                                                                    .source = source,
                                                                    .decoder = std::move(decoder),
                                                                    .dead_letters = dead_letters});
}

std::string CopiesFolder(const Config& config, const std::string& input) {
  return config.state_dir + "/files/" + input;
}

std::string ErrorsText(const ErrorList& errors) {
  std::string text;
  for (const ConfigError& error : errors.Sorted()) {
    if (!text.empty()) text += '\n';
    text += error.ToString();
  }
  return text;
}

}  // namespace tocsin
