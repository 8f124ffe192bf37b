#include "trainer/step/device_data.h"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "base/rng.h"
#include "data/byte_images.h"
#include "data/sampler.h"

namespace crescendo {
namespace {

constexpr int64_t kImagesAtOnce = 1024;    // images in an upload
constexpr int64_t kTable = 3 * 256;        // floats: one for each channel and value of a byte
constexpr int64_t kMicroBatchesAhead = 3;  // micro-batches that a loader loads ahead

// An array of `count` plain values in device memory.
template <class T>
class DeviceArray {
 public:
  DeviceArray(const Device& device, int64_t count)
      : device_(device),
        bytes_(static_cast<size_t>(count) * sizeof(T)),
        values_(static_cast<T*>(device_.memory().allocate(bytes_))) {}
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  ~DeviceArray() { device_.memory().release(values_, bytes_); }

  T* get() const { return values_; }
  void upload(const std::vector<T>& values, int64_t offset) const {
    device_.backend().upload(values.data(), values_ + offset, values.size() * sizeof(T));
  }

 private:
  Device device_;
  size_t bytes_;
  T* values_;
};

// Batches from a loader, put together from its chunks. If samples must be uploaded, a micro-batch is copied
// into a staging buffer on the device while the previous one is computed. Kernels then convert it from there.
class LoadedBatches final : public Batches {
 public:
  LoadedBatches(const Device& device, const std::shared_ptr<const Dataset>& dataset,
                const LoaderOptions& options, int64_t max_samples)
      : device_(device),
        elements_(dataset->image_size().elements()),
        staged_(staging(device, dataset->image_size(), max_samples)),
        upload_(device.backend().open_upload()),
        loader_(dataset, settled(options, max_samples)) {}

  void expect(const SampleRange& range, int64_t stride) override { loader_.expect(range, stride); }
  void prepare(const SampleRange& next, const DeviceBatch& batch) override {
    give_back();
    for (int64_t done = 0; done < next.count; done += chunks_.back().range.count) {
      chunks_.push_back(loader_.next(next.first + done));
      if (chunks_.back().range.count > next.count - done)
        throw std::logic_error("batches: a micro-batch ends within a chunk of the loader");
      convert(chunks_.back(), done, batch);
    }
    if (upload_) upload_->taken();
  }
  void write(const StepCounters*, const DeviceBatch&) override {}

 private:
  LoaderOptions settled(LoaderOptions options, int64_t max_samples) const {
    const int64_t chunks = (max_samples + options.chunk - 1) / options.chunk;
    options.ahead = static_cast<int>(kMicroBatchesAhead * chunks);
    if (upload_) options.allocate = [this](size_t bytes) { return upload_->host_memory(bytes); };
    return options;
  }

  // Hands the memory of the previous micro-batch back to the loader.
  void give_back() {
    if (upload_) upload_->wait();
    for (LoadedSamples& chunk : chunks_) loader_.give_back(std::move(chunk));
    chunks_.clear();
  }

  // Converts a chunk to the samples of the batch from sample `at` on.
  void convert(const LoadedSamples& chunk, int64_t at, const DeviceBatch& batch) {
    const int64_t n = chunk.range.count;
    const float* images = chunk.images.data();
    const int32_t* labels = chunk.labels.data();
    if (upload_) {
      int32_t* const staged = staged_.as_indices() + at * (elements_ + 1);
      upload_->start(chunk.memory.get(), staged, chunk.bytes());
      images = reinterpret_cast<const float*>(staged);
      labels = staged + n * elements_;
    }
    const Tensor to_images = batch.images.view(at * elements_, {n, elements_}, Element::activation);
    device_.run(ConvertSamples{.n = n,
                               .elements = elements_,
                               .images = images,
                               .labels = labels,
                               .to_images = to_images.as_activations(),
                               .to_labels = batch.labels.as_indices() + at});
  }

  Device device_;
  int64_t elements_;  // per image
  Tensor staged_;
  std::vector<LoadedSamples> chunks_;  // being uploaded: destroyed after upload_, which waits
  std::unique_ptr<StagedUpload> upload_;
  Loader loader_;
};

}  // namespace

Tensor staging(const Device& device, const ImageSize& size, int64_t n) {
  if (device.backend().capabilities().is_host) return {};
  return Tensor::indices(device, {n, size.elements() + 1});
}

struct DeviceData::Resident {
  Resident(const Device& device, const ByteImages& set);

  ImageSize size;
  int64_t images;
  bool augment;
  DeviceArray<uint8_t> bytes;
  DeviceArray<int32_t> labels;
  DeviceArray<float> table;
};

DeviceData::Resident::Resident(const Device& device, const ByteImages& set)
    : size(set.image_size()),
      images(set.size()),
      augment(set.augments()),
      bytes(device, images * size.elements()),
      labels(device, images),
      table(device, kTable) {
  std::vector<uint8_t> planes;
  std::vector<int32_t> all_labels;
  for (int64_t first = 0; first < images; first += kImagesAtOnce) {
    const int64_t count = std::min(kImagesAtOnce, images - first);
    planes.resize(static_cast<size_t>(count * size.elements()));
    for (int64_t i = 0; i < count; ++i) {
      set.copy_planes(first + i, planes.data() + i * size.elements());
      all_labels.push_back(set.label(first + i));
    }
    bytes.upload(planes, first * size.elements());
  }
  labels.upload(all_labels, 0);
  std::vector<float> values;
  for (const auto& channel : set.table()) values.insert(values.end(), channel.begin(), channel.end());
  table.upload(values, 0);
}

namespace {

// Batches that kernels gather from a set in device memory. The host only uploads the order of each epoch.
class ResidentBatches final : public Batches {
 public:
  ResidentBatches(const Device& device, std::shared_ptr<const DeviceData::Resident> set,
                  const LoaderOptions& options)
      : device_(device),
        set_(std::move(set)),
        sampler_(set_->images, options.shuffle, options.seed),
        key_(random_key(options.seed, Purpose::augmentation)),
        orders_(device, 2 * set_->images) {}

  void prepare(const SampleRange& next, const DeviceBatch&) override {
    const int64_t last = next.first + next.count - 1;
    for (int64_t epoch = next.first / set_->images; epoch <= last / set_->images; ++epoch)
      upload_order(epoch);
  }

  void write(const StepCounters* counters, const DeviceBatch& batch) override {
    const ImageGather g{.n = batch.labels.size(),
                        .h = set_->size.height,
                        .w = set_->size.width,
                        .images = set_->images,
                        .key = key_,
                        .augment = set_->augment};
    const ImageSet set{.bytes = set_->bytes.get(),
                       .labels = set_->labels.get(),
                       .orders = orders_.get(),
                       .table = set_->table.get()};
    device_.run(GatherImages{.geometry = g,
                             .counters = counters,
                             .set = set,
                             .images = batch.images.as_activations(),
                             .labels = batch.labels.as_indices()});
  }

 private:
  void upload_order(int64_t epoch) {
    int64_t& held = held_[static_cast<size_t>(epoch % 2)];
    if (held == epoch) return;
    std::vector<int32_t> order;
    order.reserve(static_cast<size_t>(set_->images));
    for (int64_t i = 0; i < set_->images; ++i)
      order.push_back(static_cast<int32_t>(sampler_.at(epoch * set_->images + i).index));
    orders_.upload(order, epoch % 2 * set_->images);
    held = epoch;
  }

  Device device_;
  std::shared_ptr<const DeviceData::Resident> set_;
  Sampler sampler_;
  uint64_t key_;
  DeviceArray<int32_t> orders_;  // of the newest even and odd epoch
  std::array<int64_t, 2> held_ = {-1, -1};
};

}  // namespace

DeviceData::DeviceData(const Device& device, std::shared_ptr<const Dataset> dataset)
    : device_(device), dataset_(std::move(dataset)) {
  const auto* images = dynamic_cast<const ByteImages*>(dataset_.get());
  if (images != nullptr && !device_.backend().capabilities().is_host)
    resident_ = std::make_shared<const Resident>(device_, *images);
}

std::unique_ptr<Batches> DeviceData::batches(const LoaderOptions& options, int64_t max_samples) const {
  const bool two_epochs = max_samples <= dataset_->size() + 1;  // a range reaches into two epochs at most
  if (resident_ && two_epochs) return std::make_unique<ResidentBatches>(device_, resident_, options);
  return std::make_unique<LoadedBatches>(device_, dataset_, options, max_samples);
}

int64_t DeviceData::resident_bytes(int64_t n, const ImageSize& size) {
  const int64_t labels_and_orders = 3 * static_cast<int64_t>(sizeof(int32_t));
  return n * (size.elements() + labels_and_orders) + kTable * static_cast<int64_t>(sizeof(float));
}

}  // namespace crescendo
