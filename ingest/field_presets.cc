#include "ingest/field_presets.h"

#include <algorithm>
#include <iterator>

namespace tocsin {
namespace {

constexpr JsonTarget Text(Field field) { return static_cast<JsonTarget>(field); }

// logfmt has no names of its own: those of Go's libraries (log15, logrus, go-kit, slog), lograge
// and Heroku's router.
constexpr FieldPath kLogfmt[] = {
    {"ts", JsonTarget::kTime},
    {"t", JsonTarget::kTime},
    {"level", JsonTarget::kLevelWord},
    {"lvl", JsonTarget::kLevelWord},
    {"severity", JsonTarget::kLevelWord},
    {"at", JsonTarget::kLevelWord},
    {"msg", Text(Field::kMessage)},
    {"desc", Text(Field::kMessage)},
    {"err", Text(Field::kException)},
    {"error", Text(Field::kException)},
    {"exception", JsonTarget::kStack},
    {"path", Text(Field::kEndpoint)},
    {"uri", Text(Field::kEndpoint)},
    {"url", Text(Field::kEndpoint)},
    {"route", Text(Field::kEndpoint)},
    {"status_code", JsonTarget::kStatus},
    {"duration", JsonTarget::kDuration},
    {"took", JsonTarget::kDuration},
    {"elapsed", JsonTarget::kDuration},
    {"latency", JsonTarget::kDuration},
    {"response_time", JsonTarget::kDuration},
    {"ip", Text(Field::kClientIp)},
    {"remote_addr", Text(Field::kClientIp)},
    {"remote_ip", Text(Field::kClientIp)},
    {"fwd", Text(Field::kClientIp)},
    {"ua", Text(Field::kUserAgent)},
    {"hostname", Text(Field::kHost)},
    {"traceID", Text(Field::kTraceId)},
    {"trace", Text(Field::kTraceId)},
    {"logger", Text(Field::kApp)},
};

constexpr FieldPreset kPresets[] = {
    // sorted by name
    {.name = "logfmt", .paths = kLogfmt},
};

}  // namespace

const FieldPreset* FindPreset(std::string_view name) {
  const auto* const found = std::find_if(std::begin(kPresets), std::end(kPresets),
                                         [&](const FieldPreset& p) { return p.name == name; });
  return found == std::end(kPresets) ? nullptr : found;
}

}  // namespace tocsin
