#include "sim/loop/net/server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "sim/loop/rest/api.hpp"
#include "sim/loop/rest/status.hpp"

namespace sim::loop {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

/// "Bearer abc" -> "abc"; empty for anything else.
std::string bearer(std::string_view header) {
  constexpr std::string_view kScheme = "bearer ";
  if (header.size() <= kScheme.size()) return {};
  for (std::size_t i = 0; i < kScheme.size(); ++i) {
    const char c = header[i] >= 'A' && header[i] <= 'Z' ? static_cast<char>(header[i] - 'A' + 'a') : header[i];
    if (c != kScheme[i]) return {};
  }
  return std::string(header.substr(kScheme.size()));
}

}  // namespace

class Connection;

/// Somebody else's descriptor that wait() looks at.
struct WatchedDescriptor {
  WatchedDescriptor(asio::io_context& io, int given) : number(given), descriptor(io, given) {}
  ~WatchedDescriptor() { descriptor.release(); }  // it is not ours to close
  WatchedDescriptor(const WatchedDescriptor&) = delete;
  WatchedDescriptor& operator=(const WatchedDescriptor&) = delete;
  int number;
  asio::posix::stream_descriptor descriptor;
  bool armed = false;
};

struct Server::Impl {
  explicit Impl(ServerOptions o) : options(std::move(o)), acceptor(io), tls(asio::ssl::context::tls_server) {}

  // Before the io_context: what it still holds at its end refers to these.
  ServerOptions options;
  std::uint16_t port = 0;
  std::uint64_t next_id = 0;
  std::size_t connections = 0;
  std::unordered_map<std::uint64_t, std::shared_ptr<Connection>> waiting;  // by request; look-up only. While the simulation works nothing else holds them
  std::mutex mutex;
  std::condition_variable arrived;
  std::deque<Incoming> queue;
  bool woken = false;
  std::atomic<std::size_t> requests{0};
  std::atomic<std::size_t> backlog{0};

  asio::io_context io;
  std::vector<std::unique_ptr<WatchedDescriptor>> watched;  // of wait()
  std::size_t readable = 0;                                 // handlers of these that ran
  tcp::acceptor acceptor;
  asio::ssl::context tls;
  std::thread thread;

  void push(Incoming incoming) {
    {
      const std::lock_guard lock(mutex);
      queue.push_back(std::move(incoming));
    }
    arrived.notify_one();
  }
  void accept();
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket&& socket, Server::Impl& server) : stream_(std::move(socket), server.tls), server_(server) { ++server_.connections; }
  ~Connection() {
    --server_.connections;
    server_.backlog -= pending_bytes_;
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start() {
    beast::get_lowest_layer(stream_).expires_after(server_.options.handshake_max);
    stream_.async_handshake(asio::ssl::stream_base::server, [self = shared_from_this()](beast::error_code error) {
      if (!error) self->read();
    });
  }

  /// On the network's thread.
  void reply(std::uint64_t id, Response response) {
    if (id != id_ || closed_) return;
    --server_.requests;
    if (!response.is_stream) return write(std::move(response));
    begin_stream(response);
  }

  void push(std::string frame) {
    server_.backlog -= frame.size();
    if (closed_ || finishing_) return;
    pending_bytes_ += frame.size();
    server_.backlog += frame.size();
    if (pending_bytes_ > server_.options.watch_backlog_max + allowance_) return close();
    if (frames_.empty() && !first_frames_done_) allowance_ += frame.size();
    frames_.push_back(std::move(frame));
    flush();
  }

  /// The end of a stream, by the server's will.
  void finish() {
    if (closed_ || finishing_) return;
    finishing_ = true;
    flush();
  }

  void close() {
    if (closed_) return;
    closed_ = true;
    if (streaming_) server_.push(Server::Incoming{id_, true, {}, {}});
    if (id_ != 0) server_.waiting.erase(id_);
    beast::get_lowest_layer(stream_).close();
  }

 private:
  void read() {
    parser_.emplace();
    parser_->body_limit(server_.options.body_max);
    parser_->header_limit(server_.options.header_max);
    beast::get_lowest_layer(stream_).expires_after(server_.options.idle_max);
    http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](beast::error_code error, std::size_t) { self->on_read(error); });
  }

  void on_read(beast::error_code error) {
    if (error == http::error::body_limit) return refuse(too_large(fmt::format("limit is {}", server_.options.body_max)));
    if (error == http::error::header_limit) {
      Refusal refusal{431, status(431, "", "the headers of the request are too large")};
      return refuse(refusal);
    }
    if (error) {
      const bool gone = error == http::error::end_of_stream || error == asio::error::eof || error == beast::error::timeout || error == asio::error::operation_aborted ||
                        error == asio::error::connection_reset || error == asio::ssl::error::stream_truncated || error == http::error::partial_message;
      if (gone) return close();
      return refuse(bad_request(fmt::format("the request is no HTTP: {}", error.message())));
    }
    const auto& message = parser_->get();
    keep_alive_ = message.keep_alive();
    Server::Incoming incoming;
    Request& request = incoming.request;
    request.method = std::string(view(message.method_string()));
    is_head_ = request.method == "HEAD";
    if (!read_target(view(message.target()), request)) return refuse(bad_request("the path of the request has a broken escape"));
    request.accept = std::string(view(message[http::field::accept]));
    request.content_type = std::string(view(message[http::field::content_type]));
    request.user_agent = std::string(view(message[http::field::user_agent]));
    request.if_none_match = std::string(view(message[http::field::if_none_match]));
    if (!message[http::field::content_encoding].empty() && message[http::field::content_encoding] != "identity") {
      return refuse(unsupported_media_type("bodies are taken without a Content-Encoding only"));
    }
    incoming.token = bearer(view(message[http::field::authorization]));
    request.body = std::move(parser_->get().body());
    if (server_.requests.load() >= server_.options.waiting_max) {
      Refusal refusal = too_many_requests("Too many requests, please try again later.", 1);
      return refuse(refusal);
    }
    id_ = ++server_.next_id;
    incoming.id = id_;
    server_.waiting[id_] = shared_from_this();
    ++server_.requests;
    // The simulation decides how long an answer takes.
    beast::get_lowest_layer(stream_).expires_never();
    server_.push(std::move(incoming));
  }

  void refuse(const Refusal& refusal) {
    Response response;
    response.code = refusal.code;
    refusal.status.write(response.body);
    keep_alive_ = false;
    write(std::move(response));
  }

  void write(Response response) {
    if (id_ != 0) server_.waiting.erase(id_);
    response_ = http::response<http::string_body>(static_cast<http::status>(response.code), 11);
    response_.set(http::field::content_type, response.content_type);
    response_.set(http::field::cache_control, "no-cache, private");
    for (const auto& [name, value] : response.headers) response_.insert(name, value);
    response_.keep_alive(keep_alive_);
    if (is_head_) {
      response_.content_length(response.body.size());
    } else {
      response_.body() = std::move(response.body);
      response_.prepare_payload();
    }
    beast::get_lowest_layer(stream_).expires_after(server_.options.idle_max);
    http::async_write(stream_, response_, [self = shared_from_this()](beast::error_code error, std::size_t) {
      if (error || !self->keep_alive_) return self->close();
      self->response_ = {};
      self->read();
    });
  }

  void begin_stream(const Response& response) {
    streaming_ = true;
    header_ = http::response<http::empty_body>(static_cast<http::status>(response.code), 11);
    header_.set(http::field::content_type, response.content_type);
    for (const auto& [name, value] : response.headers) header_.insert(name, value);
    header_.chunked(true);
    header_.keep_alive(true);
    serializer_.emplace(header_);
    writing_ = true;
    http::async_write_header(stream_, *serializer_, [self = shared_from_this()](beast::error_code error, std::size_t) {
      self->writing_ = false;
      if (error) return self->close();
      self->watch_for_end();
      self->flush();
    });
  }

  /// A client that goes away is noticed although it has nothing to say.
  void watch_for_end() {
    stream_.async_read_some(asio::buffer(&spare_, 1), [self = shared_from_this()](beast::error_code error, std::size_t) {
      if (!self->finishing_ || error) self->close();  // bytes in the middle of a watch are no HTTP/1.1 that is spoken here
    });
  }

  void flush() {
    if (closed_ || writing_ || !serializer_ || !serializer_->is_header_done()) return;
    if (frames_.empty()) {
      first_frames_done_ = true;
      if (!finishing_) return;
      writing_ = true;
      asio::async_write(stream_, http::make_chunk_last(), [self = shared_from_this()](beast::error_code, std::size_t) { self->close(); });
      return;
    }
    writing_ = true;
    // One chunk for all that waits: thousands of small events would be as many TLS records.
    constexpr std::size_t kBatch = 256u << 10;
    out_.clear();
    while (!frames_.empty() && out_.size() < kBatch) {
      out_ += frames_.front();
      frames_.pop_front();
    }
    beast::get_lowest_layer(stream_).expires_after(server_.options.idle_max);
    asio::async_write(stream_, http::make_chunk(asio::buffer(out_)), [self = shared_from_this()](beast::error_code error, std::size_t) {
      self->writing_ = false;
      self->pending_bytes_ -= std::min(self->pending_bytes_, self->out_.size());
      self->server_.backlog -= self->out_.size();
      self->out_.clear();
      if (error) return self->close();
      beast::get_lowest_layer(self->stream_).expires_never();
      self->flush();
    });
  }

  beast::ssl_stream<beast::tcp_stream> stream_;
  Server::Impl& server_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> response_;
  http::response<http::empty_body> header_;
  std::optional<http::response_serializer<http::empty_body>> serializer_;
  std::deque<std::string> frames_;
  std::string out_;
  std::size_t pending_bytes_ = 0;
  std::size_t allowance_ = 0;
  std::uint64_t id_ = 0;
  char spare_ = 0;
  bool keep_alive_ = false;
  bool is_head_ = false;
  bool streaming_ = false;
  bool finishing_ = false;
  bool writing_ = false;
  bool closed_ = false;
  bool first_frames_done_ = false;
};

void Server::Impl::accept() {
  acceptor.async_accept([this](beast::error_code error, tcp::socket socket) {
    if (error == asio::error::operation_aborted) return;
    if (!error && connections < options.connections_max) {
      beast::error_code ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      std::make_shared<Connection>(std::move(socket), *this)->start();
    }
    accept();
  });
}

Server::Server(ServerOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Server::~Server() { stop(); }

std::string Server::start() {
  Impl& in = *impl_;
  beast::error_code error;
  const asio::ip::address address = asio::ip::make_address(in.options.address, error);
  if (error) return fmt::format("'{}' is no IP address", in.options.address);
  try {
    in.tls.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1);
    in.tls.use_certificate_chain(asio::buffer(in.options.certificates.certificate));
    in.tls.use_private_key(asio::buffer(in.options.certificates.key), asio::ssl::context::pem);
    tcp::endpoint endpoint(address, in.options.port == 0 ? in.options.first_port : in.options.port);
    in.acceptor.open(endpoint.protocol());
    in.acceptor.set_option(asio::socket_base::reuse_address(true));
    in.acceptor.bind(endpoint, error);
    constexpr int kPortsTried = 100;
    for (int i = 1; error == asio::error::address_in_use && in.options.port == 0 && i < kPortsTried; ++i) {
      endpoint.port(static_cast<std::uint16_t>(endpoint.port() + 1));
      in.acceptor.bind(endpoint, error);
    }
    if (error) throw beast::system_error(error);
    in.acceptor.listen();
    in.port = in.acceptor.local_endpoint().port();
  } catch (const std::exception& failure) {
    return fmt::format("cannot listen on {}:{}: {}", in.options.address, in.options.port, failure.what());
  }
  in.accept();
  if (in.options.own_thread) in.thread = std::thread([&in] { in.io.run(); });
  return {};
}

void Server::stop() {
  Impl& in = *impl_;
  in.io.stop();
  if (in.thread.joinable()) in.thread.join();
  in.watched.clear();
  in.waiting.clear();
}

std::uint16_t Server::port() const { return impl_->port; }

std::vector<Server::Incoming> Server::take(std::chrono::nanoseconds wait) {
  Impl& in = *impl_;
  std::unique_lock lock(in.mutex);
  // Even a wait of no time costs a timer of the kernel.
  if (wait > std::chrono::nanoseconds(0)) in.arrived.wait_for(lock, wait, [&in] { return !in.queue.empty() || in.woken; });
  in.woken = false;
  std::vector<Incoming> result(std::make_move_iterator(in.queue.begin()), std::make_move_iterator(in.queue.end()));
  in.queue.clear();
  return result;
}

void Server::wake() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->woken = true;
  }
  impl_->arrived.notify_one();
}

void Server::answer(std::uint64_t id, Response response) {
  response.watch.reset();  // the session of a watch stays with the simulation
  asio::post(impl_->io, [&in = *impl_, id, response = std::make_shared<Response>(std::move(response))] {
    const auto found = in.waiting.find(id);
    const std::shared_ptr<Connection> connection = found == in.waiting.end() ? nullptr : found->second;
    if (connection == nullptr) {
      --in.requests;
      return;
    }
    connection->reply(id, std::move(*response));
  });
}

bool Server::send(std::uint64_t id, std::string frame) {
  impl_->backlog += frame.size();
  asio::post(impl_->io, [&in = *impl_, id, frame = std::move(frame)]() mutable {
    const auto found = in.waiting.find(id);
    const std::shared_ptr<Connection> connection = found == in.waiting.end() ? nullptr : found->second;
    if (connection == nullptr) {
      in.backlog -= frame.size();
      return;
    }
    connection->push(std::move(frame));
  });
  return true;
}

void Server::finish(std::uint64_t id) {
  asio::post(impl_->io, [&in = *impl_, id] {
    const auto found = in.waiting.find(id);
    const std::shared_ptr<Connection> connection = found == in.waiting.end() ? nullptr : found->second;
    if (connection != nullptr) connection->finish();
  });
}

bool Server::poll() {
  Impl& in = *impl_;
  in.readable = 0;
  return in.io.poll() > in.readable;
}

void Server::wait(std::chrono::nanoseconds longest, const std::vector<int>& descriptors) {
  Impl& in = *impl_;
  for (const int number : descriptors) {
    auto found = std::find_if(in.watched.begin(), in.watched.end(), [&](const auto& watched) { return watched->number == number; });
    if (found == in.watched.end()) found = in.watched.insert(found, std::make_unique<WatchedDescriptor>(in.io, number));
    WatchedDescriptor& watched = **found;
    if (watched.armed) continue;
    watched.armed = true;
    watched.descriptor.async_wait(asio::posix::stream_descriptor::wait_read, [&in, &watched](beast::error_code error) {
      if (error) return;
      watched.armed = false;
      ++in.readable;
    });
  }
  in.io.run_one_for(longest);
}

std::size_t Server::in_flight() const { return impl_->requests.load() + impl_->backlog.load(); }

}  // namespace sim::loop
