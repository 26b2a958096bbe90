// What `ca_file` and `proxy` of a configuration are to libcurl.
#pragma once

#include <curl/curl.h>

#include "config/config.h"

namespace tocsin {

// False where libcurl cannot take them. The certificate of the other side is verified in any case.
inline bool SetTransport(const TransportConfig& transport, CURL* curl) {
  bool good = curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK;
  if (!transport.ca_file.empty()) {
    // Only these: who names an authority of their own does not want all others.
    good = good && curl_easy_setopt(curl, CURLOPT_CAINFO, transport.ca_file.c_str()) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_CAPATH, static_cast<const char*>(nullptr)) == CURLE_OK;
  }
  if (!transport.proxy.empty()) {
    good = good && curl_easy_setopt(curl, CURLOPT_PROXY, transport.proxy.c_str()) == CURLE_OK;
  }
  return good;
}

}  // namespace tocsin
