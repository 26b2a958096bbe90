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
                        " " + line.text);
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

inline OutputLine MakeLine(LineKind kind, TimeUs tick, std::string text) {
  return {.kind = kind, .tick = tick, .text = std::move(text)};
}

}  // namespace tocsin
