"""NVIDIA GPUs through torch."""


class CudaBackend:
    """The first visible CUDA device."""

    name = "cuda"
    asynchronous = True

    def unavailable(self) -> str | None:
        """Why there is no GPU to run on; asks NVML, so torch stays unloaded."""
        import pynvml

        try:
            pynvml.nvmlInit()
            count = pynvml.nvmlDeviceGetCount()
        except pynvml.NVMLError as error:
            return f"no NVIDIA GPU answers here ({error})"
        return None if count else "the NVIDIA driver reports no GPU"

    def torch_device(self) -> str:
        """What torch calls the device."""
        return "cuda"

    def synchronise(self) -> None:
        """Wait until the GPU has finished its queue."""
        import torch

        torch.cuda.synchronize()

    def memory_peak_bytes(self) -> int | None:
        """Peak of the caching allocator in bytes."""
        import torch

        return int(torch.cuda.max_memory_allocated())
