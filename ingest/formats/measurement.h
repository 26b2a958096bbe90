// A measurement as Telegraf and InfluxDB have it: a name, tags, and fields that are metrics of
// their own.
//
//   Measurement measurement(&reader);
//   measurement.Begin("cpu", time);
//   measurement.AddTag("host", "web-1");
//   measurement.AddField("usage_user", 12.5);
//   measurement.Deliver();                         // an event a field: name=cpu_usage_user
//
// Names are those of Telegraf's Prometheus output: measurement and field, joined by an underscore,
// or the measurement alone where the field is called "value". Tags are labels, and fill the fields
// of an event that are called like them. The first fault makes all of it undecodable. Views live
// until Deliver. Not thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/time.h"
#include "ingest/json/payload_reader.h"

namespace tocsin {

class Measurement {
 public:
  explicit Measurement(PayloadReader* reader) : reader_(*reader) {}

  void Begin(std::string_view name, TimeUs time);
  void SetTime(TimeUs time) { time_ = time; }
  void AddTag(std::string_view name, std::string_view value) { tags_.emplace_back(name, value); }
  // Numbers are finite; one beyond limits::kNumberMagnitudeMax is a fault.
  void AddField(std::string_view name, double value) { fields_.emplace_back(name, value); }
  void Deliver();

 private:
  PayloadReader& reader_;
  std::string_view name_;
  TimeUs time_ = kNoTime;
  std::vector<std::pair<std::string_view, std::string_view>> tags_;
  std::vector<std::pair<std::string_view, double>> fields_;
  std::string joined_;
};

}  // namespace tocsin
