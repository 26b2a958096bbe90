#include <gtest/gtest.h>

#include <string>

#include "core/limits.h"
#include "tests/ingest/event_text.h"

namespace tocsin {
namespace {

const InputConfig kInput = InputOf("influx");
constexpr TimeUs kRecordTime = 50 * 365 * kDayUs;

TEST(InfluxDecoder, AnEventAField) {
  const RecordCase cases[] = {
      {"cpu,host=web-1,cpu=cpu0 usage_user=12.5,usage_idle=80i 1767225600000000000",
       "2026-01-01T00:00:00Z metric value=12.5 host=web-1 name=cpu_usage_user labels.cpu=cpu0 "
       "labels.host=web-1\n"
       "2026-01-01T00:00:00Z metric value=80 host=web-1 name=cpu_usage_idle labels.cpu=cpu0 "
       "labels.host=web-1"},
      // Timestamps of every unit, or no timestamp.
      {"q value=1 1767225600", "2026-01-01T00:00:00Z metric value=1 name=q"},
      {"q value=1 1767225600123", "2026-01-01T00:00:00.123Z metric value=1 name=q"},
      {"q value=-1.5e-3", "2019-12-20T00:00:00Z metric value=-0.0015 name=q"},
      // Booleans and strings, which may contain anything.
      {"p ok=t,down=FALSE,n=7u,note=\"a, b=c \\\" d\\\\\" 1767225600",
       "2026-01-01T00:00:00Z metric value=1 name=p_ok\n"
       "2026-01-01T00:00:00Z metric value=0 name=p_down\n"
       "2026-01-01T00:00:00Z metric value=7 name=p_n"},
      // Escapes; a backslash before anything else is itself.
      {"disk\\ io,mount=C:\\\\x,a\\=b=c\\,d\\ e,service=shop read\\ bytes=1 1767225600",
       "2026-01-01T00:00:00Z metric value=1 name=disk io_read bytes service=shop "
       "labels.a=b=c,d e labels.mount=C:\\x labels.service=shop"},
      {"m\\n value=1 1767225600", "2026-01-01T00:00:00Z metric value=1 name=m\\n"},
      // Lines.
      {"# a comment\nq value=1 1767225600\r\n\n  q value=2 1767225600  \n \t ",
       "2026-01-01T00:00:00Z metric value=1 name=q\n"
       "2026-01-01T00:00:00Z metric value=2 name=q\n"
       "skipped: a comment\nskipped: a blank line"},
      {"weather,unit=C \xC3\xBC=1 1767225600",
       "2026-01-01T00:00:00Z metric value=1 name=weather_\xC3\xBC unit=C labels.unit=C"},
  };
  for (const RecordCase& test : cases) ExpectDecoded(kInput, test, kRecordTime);
}

TEST(InfluxDecoder, LinesThatAreNone) {
  const RecordCase cases[] = {
      {"q note=\"only a text\"", "skipped: a measurement without a number"},
      {"q", "undecodable: a measurement without fields"},
      {"q ", "undecodable: a measurement without fields"},
      {",host=a value=1", "undecodable: a measurement without a name"},
      {"q,host value=1", "undecodable: a tag without a value"},
      {"q,host= value=1", "undecodable: a tag without a value"},
      {"q,=a value=1", "undecodable: a tag without a value"},
      {"q value", "undecodable: a field without a value"},
      {"q =1", "undecodable: a field without a value"},
      {"q value=", "undecodable: field value is not a number, boolean or string"},
      {"q value=nan", "undecodable: field value is not a number, boolean or string"},
      {"q value=0x10", "undecodable: field value is not a number, boolean or string"},
      {"q value=1.5i", "undecodable: field value is not a number, boolean or string"},
      {"q value=1e999", "undecodable: field value is not a number, boolean or string"},
      {"q value=1e200", "undecodable: a number out of range"},
      {"q value=1,", "undecodable: a field without a value"},
      {"q value=\"a", "undecodable: a string without a closing quote"},
      {"q value=\"a\\", "undecodable: a string without a closing quote"},
      {"q value=\"a\"b", "undecodable: field value is not a number, boolean or string"},
      {"q value=1 soon", "undecodable: timestamp is not an integer"},
      {"q value=1 1767225600 2", "undecodable: timestamp is not an integer"},
      {"q value=1 99999999999999999999", "undecodable: timestamp is not an integer"},
      {"q value=1 \xFF", "undecodable: not valid UTF-8"},
      {"q\\", "undecodable: a measurement without fields"},
  };
  for (const RecordCase& test : cases) ExpectDecoded(kInput, test, kRecordTime);
  std::string tags = "q";
  for (std::size_t i = 0; i <= limits::kLabelsMax; ++i) tags += ",t" + std::to_string(i) + "=x";
  ExpectDecoded(kInput, {tags + " a=1,b=2", "undecodable: more than 64 labels"}, kRecordTime);
  ExpectDecoded(kInput, {"q value=1", "undecodable: no time"});
}

TEST(InfluxDecoder, TakesConstants) {
  InputConfig input = kInput;
  input.map = {{"service", "", "shop", {}}, {"labels.team", "", "web", {}}};
  ExpectDecoded(input, {"q,service=other value=1 1767225600",
                        "2026-01-01T00:00:00Z metric value=1 name=q service=shop "
                        "labels.service=other labels.team=web"});
}

}  // namespace
}  // namespace tocsin
