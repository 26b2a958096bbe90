#include "engine/seen_calls.h"

#include <string>
#include <string_view>

#include "core/labels.h"

namespace tocsin {

std::vector<ScopedCall> SeenCalls(const PaneTable* table) {
  std::vector<ScopedCall> calls;
  if (table == nullptr) return calls;
  for (const std::uint32_t row : table->SortedRows()) {
    const std::vector<std::string_view> parts = KeyParts(table->key(row));
    const std::size_t scope_parts = table->layout().scope_parts;
    if (parts.size() != scope_parts + 2) continue;
    ScopedCall call;
    for (std::size_t i = 0; i < scope_parts; ++i) AppendKeyPart(parts[i], &call.scope);
    call.call = {.service = std::string(parts[scope_parts]),
                 .dependency = std::string(parts[scope_parts + 1])};
    if (!call.call.service.empty() && !call.call.dependency.empty()) {
      calls.push_back(std::move(call));
    }
  }
  return calls;
}

}  // namespace tocsin
