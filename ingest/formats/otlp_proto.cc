#include "ingest/formats/otlp_proto.h"

#include <protozero/pbf_reader.hpp>
#include <protozero/varint.hpp>

#include "core/limits.h"
#include "ingest/formats/proto_pair.h"
#include "ingest/json/payload_fault.h"

namespace tocsin {
namespace {

using protozero::data_view;
using protozero::pbf_reader;
using protozero::pbf_wire_type;
using protozero::tag_and_type;

// Thrown if maps are nested too deeply.
struct TooDeep {};

std::string_view View(data_view view) { return {view.data(), view.size()}; }

constexpr auto kBytesOf(std::uint32_t tag) {
  return tag_and_type(tag, pbf_wire_type::length_delimited);
}
constexpr auto kVarintOf(std::uint32_t tag) { return tag_and_type(tag, pbf_wire_type::varint); }
constexpr auto kFixed64Of(std::uint32_t tag) { return tag_and_type(tag, pbf_wire_type::fixed64); }

// protozero's get_bool reads a byte before it checks that there is one.
bool ReadBoolean(pbf_reader* reader) { return reader->get_uint64() != 0; }

void ReadPair(data_view bytes, std::string_view prefix, int depth, OtlpAttributes* attributes);

// AnyValue, which holds one value; if several are present, the last one wins.
void ReadValue(pbf_reader value, std::string_view name, int depth, OtlpAttributes* attributes) {
  if (depth > limits::kJsonDepthMax) throw TooDeep{};
  std::uint32_t kind = 0;
  data_view bytes;
  bool boolean = false;
  std::int64_t integer = 0;
  double number = 0;
  while (value.next()) {
    const std::uint32_t field = value.tag_and_type();  // reading the value may reset it
    switch (field) {
      case kBytesOf(1):
      case kBytesOf(6):
        bytes = value.get_view();
        break;
      case kVarintOf(2):
        boolean = ReadBoolean(&value);
        break;
      case kVarintOf(3):
        integer = value.get_int64();
        break;
      case kFixed64Of(4):
        number = value.get_double();
        break;
      default:
        value.skip();
        continue;
    }
    kind = field;
  }
  if (kind == kBytesOf(1)) attributes->Add(name, View(bytes));
  if (kind == kVarintOf(2)) attributes->Add(name, boolean);
  if (kind == kVarintOf(3)) attributes->Add(name, integer);
  if (kind == kFixed64Of(4)) attributes->Add(name, number);
  if (kind != kBytesOf(6)) return;
  pbf_reader map(bytes);
  while (map.next(1, pbf_wire_type::length_delimited)) {
    ReadPair(map.get_view(), name, depth + 1, attributes);
  }
}

// KeyValue.
void ReadPair(data_view bytes, std::string_view prefix, int depth, OtlpAttributes* attributes) {
  if (!attributes->fault().empty()) return;
  std::string_view name, value;
  ReadProtoPair(View(bytes), &name, &value);
  if (!prefix.empty()) name = attributes->Join(prefix, name);
  if (IsOnlyBytes(1, value)) {
    attributes->Add(name, BytesOf(value));
  } else {
    ReadValue(pbf_reader(value.data(), value.size()), name, depth, attributes);
  }
}

void ReadResource(pbf_reader resource, OtlpAttributes* attributes) {
  while (resource.next(1, pbf_wire_type::length_delimited)) {
    ReadPair(resource.get_view(), {}, 0, attributes);
  }
}

constexpr std::uint64_t kCumulative = 2;       // AggregationTemporality
constexpr std::uint32_t kNoRecordedValue = 1;  // of DataPointFlags

// The tags of histogram and summary points, where they differ. 0, which no field has, means that
// the point has no such field.
struct DistributionTags {
  std::uint32_t attributes, flags, min, max, quantiles;
};
constexpr DistributionTags kHistogram = {
    .attributes = 9, .flags = 10, .min = 11, .max = 12, .quantiles = 0};
constexpr DistributionTags kExponential = {
    .attributes = 1, .flags = 10, .min = 12, .max = 13, .quantiles = 0};
constexpr DistributionTags kSummary = {
    .attributes = 7, .flags = 8, .min = 0, .max = 0, .quantiles = 6};

class MetricsReader {
 public:
  MetricsReader(PayloadBudget* budget, OtlpVisitor* visitor) : visitor_(*visitor), point_(budget) {}

  void ReadScope(pbf_reader scope) {
    while (scope.next(2, pbf_wire_type::length_delimited)) ReadMetric(scope.get_message());
  }

 private:
  void ReadMetric(pbf_reader metric);
  void ReadPoints(pbf_reader data);
  void ReadNumber(pbf_reader point);
  void ReadDistribution(pbf_reader point, const DistributionTags& tags);
  void ReadQuantile(pbf_reader quantile);

  OtlpVisitor& visitor_;
  OtlpMetric metric_;
  bool exponential_ = false;
  OtlpPoint point_;
};

void MetricsReader::ReadMetric(pbf_reader metric) {
  metric_ = {};
  data_view points;
  const auto take = [&](OtlpMetric::Kind kind) {
    metric_.kind = kind;
    points = metric.get_view();
  };
  while (metric.next()) {
    switch (metric.tag_and_type()) {
      case kBytesOf(1):
        metric_.name = View(metric.get_view());
        break;
      case kBytesOf(3):
        metric_.unit = View(metric.get_view());
        break;
      case kBytesOf(5):
        take(OtlpMetric::Kind::kGauge);
        break;
      case kBytesOf(7):
        take(OtlpMetric::Kind::kSum);
        break;
      case kBytesOf(9):
        take(OtlpMetric::Kind::kHistogram);
        exponential_ = false;
        break;
      case kBytesOf(10):
        take(OtlpMetric::Kind::kHistogram);
        exponential_ = true;
        break;
      case kBytesOf(11):
        take(OtlpMetric::Kind::kSummary);
        metric_.cumulative = true;
        break;
      default:
        metric.skip();
    }
  }
  if (metric_.kind != OtlpMetric::Kind::kNone) ReadPoints(pbf_reader(points));
}

void MetricsReader::ReadPoints(pbf_reader data) {
  // The temporality and monotonicity follow the points, so they are read first.
  pbf_reader about = data;
  while (about.next()) {
    switch (about.tag_and_type()) {
      case kVarintOf(2):
        metric_.cumulative = about.get_uint64() == kCumulative;
        break;
      case kVarintOf(3):
        metric_.monotonic = ReadBoolean(&about);
        break;
      default:
        about.skip();
    }
  }
  while (data.next(1, pbf_wire_type::length_delimited)) {
    point_.Clear();
    const data_view bytes = data.get_view();
    point_.bytes = View(bytes);
    switch (metric_.kind) {
      case OtlpMetric::Kind::kHistogram:
        ReadDistribution(pbf_reader(bytes), exponential_ ? kExponential : kHistogram);
        break;
      case OtlpMetric::Kind::kSummary:
        ReadDistribution(pbf_reader(bytes), kSummary);
        break;
      default:
        ReadNumber(pbf_reader(bytes));
    }
    visitor_.OnPoint(metric_, point_);
  }
}

void MetricsReader::ReadNumber(pbf_reader point) {
  while (point.next()) {
    switch (point.tag_and_type()) {
      case kFixed64Of(3):
        point_.time = OtlpTime(point.get_fixed64());
        break;
      case kFixed64Of(4):
        point_.value = point.get_double();
        break;
      case kFixed64Of(6):
        point_.value = static_cast<double>(point.get_sfixed64());
        break;
      case kBytesOf(7):
        ReadPair(point.get_view(), {}, 0, &point_.attributes);
        break;
      case kVarintOf(8):
        point_.absent = (point.get_uint32() & kNoRecordedValue) != 0;
        break;
      default:
        point.skip();
    }
  }
}

void MetricsReader::ReadDistribution(pbf_reader point, const DistributionTags& tags) {
  while (point.next()) {
    const std::uint32_t field = point.tag_and_type();
    if (field == kFixed64Of(3)) {
      point_.time = OtlpTime(point.get_fixed64());
    } else if (field == kFixed64Of(4)) {
      point_.count = static_cast<double>(point.get_fixed64());
    } else if (field == kFixed64Of(5)) {
      point_.sum = point.get_double();
    } else if (field == kBytesOf(tags.attributes)) {
      ReadPair(point.get_view(), {}, 0, &point_.attributes);
    } else if (field == kVarintOf(tags.flags)) {
      point_.absent = (point.get_uint32() & kNoRecordedValue) != 0;
    } else if (field == kFixed64Of(tags.min)) {
      point_.min = point.get_double();
    } else if (field == kFixed64Of(tags.max)) {
      point_.max = point.get_double();
    } else if (field == kBytesOf(tags.quantiles)) {
      ReadQuantile(point.get_message());
    } else {
      point.skip();
    }
  }
}

void MetricsReader::ReadQuantile(pbf_reader quantile) {
  // Protobuf does not encode fields that are 0.
  double at = 0;
  double value = 0;
  while (quantile.next()) {
    switch (quantile.tag_and_type()) {
      case kFixed64Of(1):
        at = quantile.get_double();
        break;
      case kFixed64Of(2):
        value = quantile.get_double();
        break;
      default:
        quantile.skip();
    }
  }
  point_.quantiles.emplace_back(at, value);
}

class LogsReader {
 public:
  LogsReader(PayloadBudget* budget, OtlpVisitor* visitor) : visitor_(*visitor), log_(budget) {}

  void ReadScope(pbf_reader scope) {
    while (scope.next(2, pbf_wire_type::length_delimited)) {
      log_.Clear();
      const data_view bytes = scope.get_view();
      log_.bytes = View(bytes);
      ReadLog(pbf_reader(bytes));
      visitor_.OnLog(log_);
    }
  }

 private:
  void ReadLog(pbf_reader log);
  void ReadBody(pbf_reader body);
  void SetTraceId(std::string_view id);

  OtlpVisitor& visitor_;
  OtlpLog log_;
};

void LogsReader::ReadLog(pbf_reader log) {
  TimeUs observed = kNoTime;
  data_view body;
  while (log.next()) {
    switch (log.tag_and_type()) {
      case kFixed64Of(1):
        log_.time = OtlpTime(log.get_fixed64());
        break;
      case kVarintOf(2):
        log_.severity_number = log.get_int32();
        break;
      case kBytesOf(3):
        log_.severity_text = View(log.get_view());
        break;
      case kBytesOf(5):
        body = log.get_view();
        break;
      case kBytesOf(6):
        ReadPair(log.get_view(), {}, 0, &log_.attributes);
        break;
      case kBytesOf(9):
        SetTraceId(View(log.get_view()));
        break;
      case kFixed64Of(11):
        observed = OtlpTime(log.get_fixed64());
        break;
      case kBytesOf(12):
        log_.event_name = View(log.get_view());
        break;
      default:
        log.skip();
    }
  }
  if (log_.time == kNoTime) log_.time = observed;
  ReadBody(pbf_reader(body));
}

void LogsReader::ReadBody(pbf_reader body) {
  const std::size_t before = log_.attributes.pairs().size();
  ReadValue(body, {}, 0, &log_.attributes);
  log_.TakeMessage(before);
}

void LogsReader::SetTraceId(std::string_view id) {
  constexpr std::size_t kTraceIdBytes = 16;
  constexpr char kDigits[] = "0123456789abcdef";
  log_.has_trace_id = id.size() == kTraceIdBytes && id.find_first_not_of('\0') != id.npos;
  if (!log_.has_trace_id) return;
  for (std::size_t i = 0; i < kTraceIdBytes; ++i) {
    const auto byte = static_cast<unsigned char>(id[i]);
    log_.trace_id[2 * i] = kDigits[byte >> 4];
    log_.trace_id[2 * i + 1] = kDigits[byte & 15];
  }
}

// Both requests are lists of resources, each with its logs or metrics.
template <typename ItemReader>
class RequestReader {
 public:
  RequestReader(PayloadBudget* budget, OtlpVisitor* visitor)
      : visitor_(*visitor), items_(budget, visitor), attributes_(budget) {}

  void Read(pbf_reader request) {
    while (request.next(1, pbf_wire_type::length_delimited)) {
      const data_view list = request.get_view();
      attributes_.Clear();
      pbf_reader resources(list);
      while (resources.next(1, pbf_wire_type::length_delimited)) {
        ReadResource(resources.get_message(), &attributes_);
      }
      visitor_.OnResource(attributes_);
      pbf_reader scopes(list);
      while (scopes.next(2, pbf_wire_type::length_delimited)) {
        items_.ReadScope(scopes.get_message());
      }
    }
  }

 private:
  OtlpVisitor& visitor_;
  ItemReader items_;
  OtlpAttributes attributes_;
};

// protozero throws; no exception leaves this file.
template <typename Read>
std::string_view Faults(Read read) {
  try {
    read();
  } catch (const protozero::exception&) {
    return payload_fault::kProtobuf;
  } catch (const TooDeep&) {
    return payload_fault::kTooDeep;
  }
  return {};
}

}  // namespace

std::string_view ReadOtlpLogs(std::string_view bytes, PayloadBudget* budget, OtlpVisitor* visitor) {
  return Faults([&] {
    RequestReader<LogsReader>(budget, visitor).Read(pbf_reader(bytes.data(), bytes.size()));
  });
}

std::string_view ReadOtlpMetrics(std::string_view bytes, PayloadBudget* budget,
                                 OtlpVisitor* visitor) {
  return Faults([&] {
    RequestReader<MetricsReader>(budget, visitor).Read(pbf_reader(bytes.data(), bytes.size()));
  });
}

std::string_view ReadDelimitedOtlpMetrics(std::string_view bytes, PayloadBudget* budget,
                                          OtlpVisitor* visitor) {
  return Faults([&] {
    RequestReader<MetricsReader> reader(budget, visitor);
    const char* at = bytes.data();
    const char* const end = at + bytes.size();
    while (at < end) {
      const std::uint64_t size = protozero::decode_varint(&at, end);
      if (size > static_cast<std::uint64_t>(end - at)) throw protozero::end_of_buffer_exception{};
      reader.Read(pbf_reader(at, static_cast<std::size_t>(size)));
      at += size;
    }
  });
}

}  // namespace tocsin
