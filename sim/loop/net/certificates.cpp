#include "sim/loop/net/certificates.hpp"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstdint>
#include <memory>
#include <stdexcept>

#include "sim/core/random.hpp"

namespace sim::loop {

namespace {

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using Memory = std::unique_ptr<BIO, Deleter<BIO_free_all>>;

void check(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(std::string("OpenSSL: ") + what);
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<std::size_t>(size));
}

void add_extension(X509* to, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  check(extension != nullptr, "extension");
  check(X509_add_ext(to, extension, -1) == 1, "add extension");
  X509_EXTENSION_free(extension);
}

Certificate make(const std::string& common_name, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key, const std::string& alternative_names, std::int64_t now, std::optional<std::uint64_t> seeded_serial) {
  Certificate result(X509_new());
  check(X509_set_version(result.get(), 2) == 1, "version");
  std::uint64_t serial = 0;
  if (seeded_serial) {
    serial = *seeded_serial;
  } else {
    check(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) == 1, "random bytes");
  }
  check(ASN1_INTEGER_set_uint64(X509_get_serialNumber(result.get()), serial >> 1) == 1, "serial number");
  constexpr long kHour = 3600;
  constexpr long kTenYears = 10L * 365 * 24 * kHour;
  check(ASN1_TIME_set(X509_getm_notBefore(result.get()), now - kHour) != nullptr, "notBefore");
  check(ASN1_TIME_set(X509_getm_notAfter(result.get()), now + kTenYears) != nullptr, "notAfter");
  check(X509_set_pubkey(result.get(), key) == 1, "public key");
  X509_NAME* name = X509_get_subject_name(result.get());
  check(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0) == 1, "name");
  X509* signer = issuer == nullptr ? result.get() : issuer;
  check(X509_set_issuer_name(result.get(), X509_get_subject_name(signer)) == 1, "issuer");
  if (issuer == nullptr) {
    add_extension(result.get(), signer, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(result.get(), signer, NID_key_usage, "critical,keyCertSign,cRLSign,digitalSignature");
  } else {
    add_extension(result.get(), signer, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(result.get(), signer, NID_key_usage, "critical,digitalSignature,keyEncipherment");
    add_extension(result.get(), signer, NID_ext_key_usage, "serverAuth");
    add_extension(result.get(), signer, NID_subject_alt_name, alternative_names.c_str());
  }
  add_extension(result.get(), signer, NID_subject_key_identifier, "hash");
  EVP_PKEY* const signing = issuer_key == nullptr ? key : issuer_key;
  check(X509_sign(result.get(), signing, EVP_PKEY_is_a(signing, "ED25519") == 1 ? nullptr : EVP_sha256()) > 0, "signature");
  return result;
}

EVP_PKEY* seeded_key(RandomStream& random) {
  std::array<std::uint64_t, 4> bytes{};
  for (std::uint64_t& word : bytes) word = random.next();
  return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, reinterpret_cast<const unsigned char*>(bytes.data()), sizeof bytes);
}

std::string pem(X509* certificate) {
  Memory bio(BIO_new(BIO_s_mem()));
  check(PEM_write_bio_X509(bio.get(), certificate) == 1, "PEM");
  return text_of(bio.get());
}

}  // namespace

Certificates make_certificates(const std::vector<std::string>& names, std::int64_t now, std::optional<std::uint64_t> seed) {
  RandomStream random(seed.value_or(0), "certificates", "api-server");
  const auto make_key = [&] { return Key(seed ? seeded_key(random) : EVP_EC_gen("P-256")); };
  const auto serial = [&] { return seed ? std::optional<std::uint64_t>(random.next()) : std::nullopt; };
  const Key ca_key = make_key();
  const Key key = make_key();
  check(ca_key != nullptr && key != nullptr, "key");
  const Certificate ca = make("squall-ca", ca_key.get(), nullptr, nullptr, {}, now, serial());
  std::string alternative;
  for (const std::string& name : names) {
    const bool address = name.find_first_not_of("0123456789.") == std::string::npos || name.find(':') != std::string::npos;
    alternative += (alternative.empty() ? "" : ",") + std::string(address ? "IP:" : "DNS:") + name;
  }
  const Certificate server = make("kube-apiserver", key.get(), ca.get(), ca_key.get(), alternative, now, serial());
  Memory bio(BIO_new(BIO_s_mem()));
  check(PEM_write_bio_PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1, "PEM of the key");
  return {pem(ca.get()), pem(server.get()), text_of(bio.get())};
}

std::string random_token() {
  unsigned char bytes[32];
  check(RAND_bytes(bytes, sizeof bytes) == 1, "random bytes");
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const unsigned char b : bytes) {
    text += kDigits[b >> 4];
    text += kDigits[b & 15];
  }
  return text;
}

std::string base64(const std::string& data) {
  std::string result(4 * ((data.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(result.data()), reinterpret_cast<const unsigned char*>(data.data()), static_cast<int>(data.size()));
  result.resize(static_cast<std::size_t>(size));
  return result;
}

}  // namespace sim::loop
