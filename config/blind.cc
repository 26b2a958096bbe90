// The sections `blind` and `heartbeat`: what the engine says of itself.

#include "absl/strings/str_cat.h"
#include "config/sections.h"
#include "config/transport.h"
#include "config/value.h"

namespace tocsin {

BlindConfig ReadBlind(const ConfigNode& node, ErrorList* errors) {
  BlindConfig blind;
  ConfigReader reader(node, "blind", errors);
  blind.name = reader.String("name", blind.name);
  if (blind.name.empty()) reader.Error("name", "name of blind is empty");
  blind.after = reader.Duration("after", blind.after, kSecondUs, kHourUs);
  blind.lag_max = reader.Duration("lag_max", blind.lag_max, kSecondUs, kWeekUs);
  blind.late_share = reader.Ratio("late_share", blind.late_share);
  blind.to = reader.Strings("to");
  blind.to_at = reader.At("to");
  reader.Finish();
  return blind;
}

HeartbeatConfig ReadHeartbeat(const ConfigNode& node, ErrorList* errors) {
  HeartbeatConfig heartbeat;
  ConfigReader reader(node, "heartbeat", errors);
  heartbeat.url = reader.String("url");
  heartbeat.url_file = reader.String("url_file");
  if (heartbeat.url.empty() == heartbeat.url_file.empty()) {
    errors->Add(node.at, "heartbeat needs either 'url' or 'url_file'");
  } else if (!heartbeat.url.empty() && !IsHttpUrl(heartbeat.url)) {
    reader.Error("url", absl::StrCat("url of heartbeat is ", Quoted(heartbeat.url),
                                     ": expected http://HOST/… or https://HOST/…"));
  }
  heartbeat.every = reader.Duration("every", heartbeat.every, kSecondUs, kDayUs);
  heartbeat.transport = ReadTransport(&reader);
  reader.Finish();
  return heartbeat;
}

}  // namespace tocsin
