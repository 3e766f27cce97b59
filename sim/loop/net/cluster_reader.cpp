#include "sim/loop/net/cluster_reader.hpp"

#include <fmt/format.h>

#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>

#include "sim/loop/net/certificates.hpp"
#include "sim/scenario/document.hpp"

namespace sim::loop {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace ssl = boost::asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::chrono::seconds kAnswerTimeout{30};
constexpr std::uint64_t kPageBytesMax = 256ull << 20;
constexpr int kPageObjects = 500;

// What a scenario takes over, and what it tells that it does not.
constexpr std::array<std::string_view, 30> kLists = {
    "/api/v1/nodes", "/api/v1/namespaces", "/apis/scheduling.k8s.io/v1/priorityclasses", "/apis/storage.k8s.io/v1/storageclasses", "/apis/storage.k8s.io/v1/csinodes",
    "/apis/storage.k8s.io/v1/csidrivers", "/apis/storage.k8s.io/v1/csistoragecapacities", "/api/v1/persistentvolumes", "/api/v1/persistentvolumeclaims",
    "/apis/storage.k8s.io/v1/volumeattachments", "/apis/apps/v1/deployments", "/apis/apps/v1/replicasets", "/apis/apps/v1/statefulsets", "/apis/apps/v1/daemonsets",
    "/apis/apps/v1/controllerrevisions", "/apis/batch/v1/cronjobs", "/apis/batch/v1/jobs", "/api/v1/services", "/apis/policy/v1/poddisruptionbudgets",
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
    "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas", "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations", "/api/v1/pods",
    "/api/v1/resourcequotas", "/api/v1/limitranges", "/api/v1/replicationcontrollers", "/apis/autoscaling/v2/horizontalpodautoscalers",
    "/apis/networking.k8s.io/v1/networkpolicies", "/apis/coordination.k8s.io/v1/leases"};

std::optional<std::string> from_base64(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  int have = 0;
  for (const char c : text) {
    if (c == '=' || c == '\n' || c == '\r' || c == ' ') continue;
    const int value = c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 : c >= '0' && c <= '9' ? c - '0' + 52 : c == '+' ? 62 : c == '/' ? 63 : -1;
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    have += 6;
    if (have < 8) continue;
    have -= 8;
    out += static_cast<char>(bits >> have & 0xff);
  }
  return out;
}

class Kubeconfig {
 public:
  Kubeconfig(std::string path, scenario::Diagnostics& diagnostics) : path_(std::move(path)), diagnostics_(diagnostics) {}

  ClusterAccess read(const std::string& wanted) {
    ClusterAccess access;
    const auto document = scenario::load_file(path_, diagnostics_);
    if (document == nullptr || diagnostics_.has_errors()) return access;
    const scenario::Node root = document->root();
    if (root.find("kind").text() != "Config" || !root.find("clusters")) {
      diagnostics_.error_in(path_, "is no kubeconfig").expected = "kind: Config, with clusters, users and contexts";
      return access;
    }
    const std::string name = wanted.empty() ? std::string(root.find("current-context").text()) : wanted;
    const scenario::Node context = entry(root, "contexts", name, "context", root.find("current-context"));
    if (!context) return access;
    const scenario::Node cluster = entry(root, "clusters", std::string(context.find("cluster").text()), "cluster", context.find("cluster"));
    const scenario::Node user = context.find("user").text().empty() ? scenario::Node{} : entry(root, "users", std::string(context.find("user").text()), "user", context.find("user"));
    if (cluster) cluster_of(cluster, access);
    if (user) user_of(user, access);
    return access;
  }

 private:
  scenario::Node entry(scenario::Node root, const char* list, const std::string& name, const char* noun, scenario::Node at) {
    const scenario::Node entries = root.find(list);
    std::vector<std::string> names;
    for (std::size_t i = 0; entries.is_sequence() && i < entries.size(); ++i) {
      names.emplace_back(entries.item(i).find("name").text());
      if (names.back() == name) return entries.item(i).find(noun) ? entries.item(i).find(noun) : root;
    }
    scenario::Diagnostic& d = at ? diagnostics_.error(at, fmt::format("there is no {} '{}'", noun, name)) : diagnostics_.error_in(path_, fmt::format("there is no {} '{}'", noun, name));
    d.hint = scenario::did_you_mean(name, names);
    return scenario::Node{};
  }

  /// The value of a key, of its -data form, or of the file that it names.
  std::string material(scenario::Node of, const std::string& key) {
    if (const scenario::Node data = of.find(key + "-data"); !data.is_null()) {
      if (const auto decoded = from_base64(data.text())) return *decoded;
      diagnostics_.error(data, fmt::format("{}-data is no base64", key));
      return {};
    }
    const scenario::Node file = of.find(key);
    if (file.is_null() || file.text().empty()) return {};
    const std::filesystem::path path = std::filesystem::path(path_).parent_path() / std::string(file.text());
    std::ifstream stream(path, std::ios::binary);
    std::stringstream text;
    text << stream.rdbuf();
    if (!stream) diagnostics_.error(file, fmt::format("the file '{}' cannot be read", path.string()));
    return text.str();
  }

  void cluster_of(scenario::Node cluster, ClusterAccess& access) {
    const scenario::Node server = cluster.find("server");
    std::string_view url = server.text();
    access.is_tls = !url.starts_with("http://");
    if (!url.starts_with("http://") && !url.starts_with("https://")) {
      diagnostics_.error(server ? server : cluster, "the server is no address").expected = "https://HOST:PORT";
      return;
    }
    url.remove_prefix(url.find("//") + 2);
    const std::string_view authority = url.substr(0, url.find('/'));
    access.base = std::string(url.substr(authority.size()));
    while (!access.base.empty() && access.base.back() == '/') access.base.pop_back();
    std::size_t colon = authority.rfind(':');
    if (colon != std::string_view::npos && authority.find(']', colon) != std::string_view::npos) colon = std::string_view::npos;
    access.host = std::string(authority.substr(0, colon));
    if (access.host.starts_with("[") && access.host.ends_with("]")) access.host = access.host.substr(1, access.host.size() - 2);
    access.port = colon == std::string_view::npos ? (access.is_tls ? "443" : "80") : std::string(authority.substr(colon + 1));
    access.server_name = cluster.find("tls-server-name").text().empty() ? access.host : std::string(cluster.find("tls-server-name").text());
    access.verifies = !cluster.find("insecure-skip-tls-verify").as_bool().value_or(false);
    access.ca = material(cluster, "certificate-authority");
    if (!cluster.find("proxy-url").is_null()) diagnostics_.error(cluster.find("proxy-url"), "proxy-url is not supported").hint = "kubectl get ... -o yaml | squall import -";
  }

  void user_of(scenario::Node user, ClusterAccess& access) {
    for (const char* plugin : {"exec", "auth-provider"}) {
      if (!user.find(plugin).is_null()) diagnostics_.error(user.find_key(plugin), fmt::format("{} plugins are not run", plugin)).hint = "kubectl get ... -o yaml | squall import -";
    }
    access.certificate = material(user, "client-certificate");
    access.key = material(user, "client-key");
    std::string token(user.find("token").text());
    if (token.empty() && !user.find("tokenFile").is_null()) token = material(user, "tokenFile");
    while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
    if (token.find_first_of("\r\n") != std::string::npos) diagnostics_.error(user, "the token holds a line break");
    if (!token.empty()) access.authorization = "Bearer " + token;
    if (const std::string_view name = user.find("username").text(); !name.empty()) {
      access.authorization = "Basic " + base64(fmt::format("{}:{}", name, user.find("password").text()));
    }
  }

  std::string path_;
  scenario::Diagnostics& diagnostics_;
};

class Connection {
 public:
  explicit Connection(const ClusterAccess& access) : access_(access), tls_(ssl::context::tls_client) {
    if (!access.ca.empty()) {
      tls_.add_certificate_authority(asio::buffer(access.ca));
    } else {
      tls_.set_default_verify_paths();
    }
    if (!access.certificate.empty()) tls_.use_certificate_chain(asio::buffer(access.certificate));
    if (!access.key.empty()) tls_.use_private_key(asio::buffer(access.key), ssl::context::pem);
  }

  struct Answer {
    unsigned status = 0;
    std::string reason;
    std::string body;
  };
  /// Empty error: there is an answer.
  std::string get(const std::string& target, Answer& answer) {
    // A server may close a connection that was kept: once more, on a new one.
    for (int tries = 0; tries < 2; ++tries) {
      const bool was_open = stream_ != nullptr;
      error_code error = was_open ? error_code{} : open();
      if (!error) error = exchange(target, answer);
      if (!error) return {};
      stream_.reset();
      if (!was_open || tries > 0) return fmt::format("{}:{}: {}", access_.host, access_.port, error == beast::error::timeout ? "no answer within 30 s" : error.message());
    }
    return {};
  }

 private:
  using Stream = beast::ssl_stream<beast::tcp_stream>;

  template <class Start>
  error_code wait(Start&& start) {
    error_code result = asio::error::operation_aborted;
    start([&result](error_code error, auto&&...) { result = error; });
    io_.restart();
    io_.run();
    return result;
  }

  error_code open() {
    error_code error;
    tcp::resolver resolver(io_);
    const auto endpoints = resolver.resolve(access_.host, access_.port, error);
    if (error) return error;
    stream_ = std::make_unique<Stream>(io_, tls_);
    beast::tcp_stream& socket = beast::get_lowest_layer(*stream_);
    socket.expires_after(kAnswerTimeout);
    error = wait([&](auto handler) { socket.async_connect(endpoints, handler); });
    if (error || !access_.is_tls) return error;
    stream_->set_verify_mode(access_.verifies ? ssl::verify_peer : ssl::verify_none);
    if (access_.verifies) stream_->set_verify_callback(ssl::host_name_verification(access_.server_name));
    asio::ip::make_address(access_.server_name, error);
    if (error) SSL_set_tlsext_host_name(stream_->native_handle(), access_.server_name.c_str());  // a name, not an address
    return wait([&](auto handler) { stream_->async_handshake(ssl::stream_base::client, handler); });
  }

  error_code exchange(const std::string& target, Answer& answer) {
    http::request<http::empty_body> request(http::verb::get, access_.base + target, 11);
    request.set(http::field::host, access_.host);
    request.set(http::field::accept, "application/json");
    request.set(http::field::user_agent, "squall-import");
    if (!access_.authorization.empty()) request.set(http::field::authorization, access_.authorization);
    http::response_parser<http::string_body> parser;
    parser.body_limit(kPageBytesMax);
    beast::flat_buffer buffer;
    beast::tcp_stream& socket = beast::get_lowest_layer(*stream_);
    const auto both = [&](auto& stream) {
      socket.expires_after(kAnswerTimeout);
      error_code error = wait([&](auto handler) { http::async_write(stream, request, handler); });
      if (error) return error;
      socket.expires_after(kAnswerTimeout);
      return wait([&](auto handler) { http::async_read(stream, buffer, parser, handler); });
    };
    const error_code error = access_.is_tls ? both(*stream_) : both(socket);
    if (error) return error;
    answer.status = parser.get().result_int();
    answer.reason = std::string(parser.get().reason());
    const bool stays = parser.get().keep_alive();
    answer.body = std::move(parser.get().body());
    if (!stays) stream_.reset();
    return {};
  }

  const ClusterAccess& access_;
  asio::io_context io_;
  ssl::context tls_;
  std::unique_ptr<Stream> stream_;
};

/// The token of the next page; it stands in the head or at the end of a list, not inside of an object.
std::string next_page(const std::string& name, const std::string& text) {
  // The list's own metadata, without its items.
  std::size_t depth = 0;
  std::string shell;
  bool in_items = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      std::size_t end = i + 1;
      while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2 : 1;
      if (!in_items) shell.append(text, i, std::min(end + 1, text.size()) - i);
      i = end;
      continue;
    }
    if (c == '[' || c == '{') ++depth;
    if (c == '[' && depth == 2 && !in_items) {
      in_items = true;
      shell += "[";
      continue;
    }
    if (c == ']' && depth == 2 && in_items) in_items = false;
    if (c == ']' || c == '}') depth -= depth > 0 ? 1 : 0;
    if (!in_items) shell += c;
  }
  scenario::Diagnostics ignored;
  const auto document = scenario::load_text(name + ".json", shell, ignored);
  return std::string(document->root().find("metadata").find("continue").text());
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';
    out += is_plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
  }
  return out;
}

}  // namespace

ClusterAccess read_kubeconfig(const std::string& path, const std::string& context, scenario::Diagnostics& diagnostics) { return Kubeconfig(path, diagnostics).read(context); }

ClusterReading read_cluster(const ClusterAccess& access, const std::function<void(const std::string& path, const std::string& text)>& sink,
                            const std::function<void(std::size_t done, std::size_t total, const std::string& path)>& progress, const std::atomic<bool>& stop) {
  ClusterReading reading;
  std::optional<Connection> connection;
  try {
    connection.emplace(access);
  } catch (const std::exception& error) {
    reading.error = fmt::format("the certificates of the kubeconfig: {}", error.what());
    return reading;
  }
  for (std::size_t i = 0; i < kLists.size(); ++i) {
    const std::string path(kLists[i]);
    progress(i, kLists.size(), path);
    std::string next;
    // An answer that always names a next page must not go on for ever.
    constexpr std::size_t kPagesMax = 20'000;
    for (std::size_t page = 0; page < kPagesMax; ++page) {
      if (stop.load()) return reading;
      Connection::Answer answer;
      std::string target = fmt::format("{}?limit={}", path, kPageObjects);
      if (!next.empty()) target += "&continue=" + escaped(next);
      reading.error = connection->get(target, answer);
      if (!reading.error.empty()) return reading;
      if (answer.status != 200) {
        reading.refused.push_back(fmt::format("{}: {} {}", path, answer.status, answer.reason));
        if (answer.status == 401) {
          reading.error = fmt::format("{}:{}: 401 {}: the kubeconfig's credentials are not taken", access.host, access.port, answer.reason);
          return reading;
        }
        break;
      }
      reading.bytes += answer.body.size();
      next = next_page(path, answer.body);
      // A page is told as a whole list: what follows is read too.
      sink(path, answer.body);
      if (next.empty()) break;
    }
  }
  return reading;
}

}  // namespace sim::loop
