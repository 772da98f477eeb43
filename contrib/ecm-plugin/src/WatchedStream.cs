// SPDX-License-Identifier: Apache-2.0
// Tells a call whether any byte of its answer has arrived. The HTTP handler does not show that, and a call may be
// repeated only without such a byte. The stream is between the handler and TLS: bytes that are read belong to the attempt
// that wrote last.

namespace Jumpgate.EcmPlugin;

/// <summary>What was seen of one attempt of a call.</summary>
internal sealed class Attempt
{
    internal static readonly AsyncLocal<Attempt?> Current = new();

    /// <summary>Whether a byte of an answer has arrived.</summary>
    internal volatile bool Answered;
}

internal sealed class WatchedStream(Stream inner) : Stream
{
    private volatile Attempt? owner;

    public override bool CanRead => inner.CanRead;

    public override bool CanSeek => false;

    public override bool CanWrite => inner.CanWrite;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var count = await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        // A read may have begun while the connection was idle: the owner is asked for when bytes are there.
        if (count > 0 && owner is { } attempt)
        {
            attempt.Answered = true;
        }
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        owner = Attempt.Current.Value;
        return inner.WriteAsync(buffer, cancellationToken);
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    public override void Flush() => inner.Flush();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override async ValueTask DisposeAsync()
    {
        await inner.DisposeAsync().ConfigureAwait(false);
        await base.DisposeAsync().ConfigureAwait(false);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            inner.Dispose();
        }
        base.Dispose(disposing);
    }
}
