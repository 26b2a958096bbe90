#include "correlate/scope.h"

#include <utility>

namespace tocsin {

SuspectSearch Scope::Search(const Config& config) const {
  return {.topology = topology,
          .deploys = deploys,
          .external = config.correlate.external,
          .window = config.correlate.deploy_window,
          .pane = config.pane};
}

void Scope::Index(const IncidentRecord& record, const Config& config) {
  const SuspectSearch search = Search(config);
  Tokens tokens;
  for (const Signal& signal : record.incident.signals) {
    tokens.merge(TokensOf(signal, search));
    onsets.Remove(record.sequence, signal);
  }
  index.Replace(record.sequence, tokens);
  for (const Signal& signal : record.incident.signals) {
    onsets.Put(record.sequence, signal, topology.PartOf(signal));
  }
}

void Scope::IndexMember(std::uint64_t sequence, const Signal& signal, const Config& config) {
  index.Put(sequence, TokensOf(signal, Search(config)));
  onsets.Put(sequence, signal, topology.PartOf(signal));
}

void Scope::Unindex(const IncidentRecord& record) {
  index.Remove(record.sequence);
  for (const Signal& signal : record.incident.signals) onsets.Remove(record.sequence, signal);
}

void Scope::Encode(ByteWriter* out) const {
  out->Varint(next_sequence);
  out->Varint(numbers.size());
  for (const auto& [year, number] : numbers) {
    out->Signed(year);
    out->Signed(number);
  }
  out->Signed(users);
  deploys.Encode(out);
  calls.Encode(out);
  out->Varint(incidents.size());
  for (const auto& [sequence, record] : incidents) record.Encode(out);
}

void Scope::Decode(ByteReader* in) {
  next_sequence = in->Varint();
  const std::size_t years = in->Count(2);
  for (std::size_t i = 0; i < years; ++i) {
    const auto year = static_cast<int>(in->Signed());
    numbers[year] = in->Signed();
  }
  users = in->Signed();
  deploys = DeployLog::Decode(in);
  calls = CallLog::Decode(in);
  const std::size_t size = in->Count(64);
  for (std::size_t i = 0; i < size && in->ok(); ++i) {
    IncidentRecord record = IncidentRecord::Decode(in);
    if (record.sequence >= next_sequence) in->Fail();
    if (in->ok()) incidents.emplace(record.sequence, std::move(record));
  }
}

}  // namespace tocsin
