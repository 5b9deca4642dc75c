"""Epochs in memory."""

import threading

from jotgate.stores.memory import MemoryEpochs


def test_epochs_count_from_the_first():
    assert MemoryEpochs().current() == 0
    epochs = MemoryEpochs(7)
    assert (epochs.advance(), epochs.current(), epochs.advance()) == (8, 8, 9)


def test_no_two_threads_begin_the_same_epoch():
    epochs, begun = MemoryEpochs(), []
    threads = [threading.Thread(target=lambda: begun.extend(epochs.advance() for _ in range(500))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(begun) == list(range(1, 2001))
