// What the tests of journals share: building values and reading a journal into lists.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "journal/journal.h"

namespace tocsin {

using Batches = std::vector<std::pair<std::uint64_t, std::string>>;

inline absl::StatusOr<Batches> BatchesAfter(Journal* journal, std::uint64_t after) {
  Batches batches;
  absl::Status status = journal->ReadBatches(after, [&](std::uint64_t seq, std::string_view body) {
    batches.emplace_back(seq, std::string(body));
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return batches;
}

inline std::vector<std::string> Lines(Journal* journal) {
  std::vector<std::string> lines;
  journal
      ->ReadLines([&](const OutputLine& line) {
        lines.push_back((line.kind == LineKind::kSignal ? "S" : "I") + std::to_string(line.tick) +
                        " " + line.text + (line.alone ? " alone" : ""));
        return absl::OkStatus();
      })
      .IgnoreError();
  return lines;
}

inline std::vector<Delivery> Deliveries(Journal* journal) {
  std::vector<Delivery> deliveries;
  journal
      ->ReadDeliveries([&](const Delivery& delivery) {
        deliveries.push_back(delivery);
        return absl::OkStatus();
      })
      .IgnoreError();
  return deliveries;
}

// All that a journal holds, as text.
inline std::string Contents(Journal* journal) {
  std::string text;
  const absl::StatusOr<std::uint64_t> oldest = journal->OldestBatch();
  const absl::StatusOr<Batches> batches = BatchesAfter(journal, oldest.value_or(1) - 1);
  if (!batches.ok()) text += std::string(batches.status().message()) + '\n';
  if (batches.ok()) {
    for (const auto& [seq, body] : *batches) text += std::to_string(seq) + ' ' + body + '\n';
  }
  const absl::StatusOr<std::optional<Snapshot>> snapshot = journal->LoadSnapshot();
  if (snapshot.ok() && *snapshot) {
    text += "snapshot " + std::to_string((*snapshot)->through) + ' ' +
            HashBytes((*snapshot)->state).Hex() + '\n';
  }
  for (const std::string& line : Lines(journal)) text += line + '\n';
  for (const Delivery& delivery : Deliveries(journal)) {
    text += "delivery " + std::to_string(delivery.sequence) + ' ' + delivery.sink + ' ' +
            std::string(DeliveryStateName(delivery.state)) + '\n';
  }
  for (const char* source : {"app", "old", "new"}) {
    const absl::StatusOr<std::optional<std::string>> position = journal->ReadPosition(source);
    text += std::string(source) + " at " +
            (position.ok() ? position->value_or("none") : "an error") + '\n';
  }
  const JournalUsage usage = journal->Usage();
  return text + "lines " + std::to_string(usage.lines) + " batches " +
         std::to_string(usage.batches) + " of " + std::to_string(usage.batch_bytes) + '\n';
}

inline Delivery MakeDelivery(std::uint64_t sequence, const std::string& sink) {
  Delivery delivery;
  delivery.sequence = sequence;
  delivery.sink = sink;
  delivery.incident = HashBytes("incident");
  delivery.id = HashParts({sink, std::to_string(sequence)});
  delivery.dedup_key = Incident::DedupKey(delivery.incident, delivery.level);
  delivery.payload = R"({"title":"x"})";
  return delivery;
}

// A line of the incident with this name, which goes on after it if `open`.
inline OutputLine MakeIncidentLine(const std::string& incident, std::string text, bool open) {
  OutputLine line;
  line.kind = LineKind::kIncident;
  line.text = std::move(text);
  line.incident = HashBytes(incident);
  line.open = open;
  return line;
}

inline OutputLine MakeLine(LineKind kind, TimeUs tick, std::string text) {
  OutputLine line;
  line.kind = kind;
  line.tick = tick;
  line.text = std::move(text);
  return line;
}

}  // namespace tocsin
