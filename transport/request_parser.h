// How the HTTP server reads a request: with Boost.Beast, stricter where two servers in a row may
// differ, and with memory that grows as a body comes. Internal to transport/http_server.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/optional.hpp>

namespace tocsin {

// A body that takes memory as it comes; the library's own takes what was announced at once.
struct GrowingBody {
  using value_type = std::string;
  class reader {
   public:
    template <bool is_request, typename Fields>
    reader(boost::beast::http::header<is_request, Fields>&, value_type& body) : body_(body) {}
    void init(const boost::optional<std::uint64_t>&, boost::beast::error_code& error) {
      error = {};
    }
    template <typename Buffers>
    std::size_t put(const Buffers& buffers, boost::beast::error_code& error) {
      error = {};
      const std::size_t before = body_.size();
      for (const auto buffer : boost::beast::buffers_range_ref(buffers)) {
        body_.append(static_cast<const char*>(buffer.data()), buffer.size());
      }
      return body_.size() - before;
    }
    void finish(boost::beast::error_code& error) { error = {}; }

   private:
    value_type& body_;
  };
};

// Stricter than the library about what two servers in a row may read differently: a repeated
// length, a coding other than chunked, and a field that goes on in the next line.
class RequestParser final : public boost::beast::http::request_parser<GrowingBody> {
 public:
  // What is read ahead of it; it must hold a whole header.
  static constexpr std::size_t kBufferBytesMax = 64 << 10;

 private:
  void on_field_impl(boost::beast::http::field name, boost::beast::string_view name_text,
                     boost::beast::string_view value, boost::beast::error_code& error) override {
    if (name == boost::beast::http::field::content_length && get().count(name) > 0) {
      error = boost::beast::http::error::multiple_content_length;
    } else if (name == boost::beast::http::field::transfer_encoding &&
               !boost::beast::iequals(value, "chunked")) {
      error = boost::beast::http::error::bad_transfer_encoding;
    } else if (WasFolded(name_text, value)) {
      error = boost::beast::http::error::bad_obs_fold;
    } else {
      get().insert(name, name_text, value);
    }
  }

  // The library joins such lines in a buffer of its own; all other values stand behind their name.
  static bool WasFolded(boost::beast::string_view name, boost::beast::string_view value) {
    const auto begin = reinterpret_cast<std::uintptr_t>(name.data());
    const auto at = reinterpret_cast<std::uintptr_t>(value.data());
    return !value.empty() && (at < begin || at > begin + kBufferBytesMax);
  }
};

}  // namespace tocsin
