// SPDX-License-Identifier: Apache-2.0
// The identity of the plug-in and the authorities it trusts: token, client certificate, CA certificates, as read from
// the files at one moment. A later reading makes another object; the two are compared by a hash of the files.
//
// Not here: when the files are read again (GatewayClient.cs).

using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Jumpgate.EcmPlugin;

internal sealed class GatewayCredentials : IDisposable
{
    private const int LargestFile = 1024 * 1024;
    private const int LargestToken = 4096;
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";

    private readonly byte[] digest;
    private readonly X509Certificate2Collection authorities = [];
    private readonly X509Certificate2Collection clientChain = [];
    private X509Certificate2? clientCertificate;

    private GatewayCredentials(byte[] digest) => this.digest = digest;

    /// <summary>The bearer token, or null.</summary>
    internal string? Token { get; private set; }

    /// <summary>Reads all files. Null, and a text for each mistake, where one is not as it must be.</summary>
    internal static GatewayCredentials? Load(PluginConfiguration configuration, List<string> mistakes)
    {
        var before = mistakes.Count;
        var token = Read(nameof(configuration.TokenFile), configuration.TokenFile, mistakes);
        var ca = Read(nameof(configuration.CaFile), configuration.CaFile, mistakes);
        var p12 = Read(nameof(configuration.ClientCertificateFile), configuration.ClientCertificateFile, mistakes);
        var password = Read(
            nameof(configuration.ClientCertificatePasswordFile), configuration.ClientCertificatePasswordFile, mistakes);
        var made = new GatewayCredentials(Digest(token, ca, p12, password));
        made.TakeToken(token, mistakes);
        made.TakeAuthorities(ca, mistakes);
        made.TakeClientCertificate(p12, password, mistakes);
        foreach (var bytes in new[] { token, p12, password })
        {
            CryptographicOperations.ZeroMemory(bytes);
        }
        if (mistakes.Count == before)
        {
            return made;
        }
        made.Dispose();
        return null;
    }

    internal bool SameAs(GatewayCredentials other) => digest.AsSpan().SequenceEqual(other.digest);

    /// <summary>How a TLS connection is made: the name is checked always, the chain against the authorities.</summary>
    internal SslClientAuthenticationOptions TlsOptions(string revocation)
    {
        var mode = revocation switch
        {
            "online" => X509RevocationMode.Online,
            "offline" => X509RevocationMode.Offline,
            _ => X509RevocationMode.NoCheck,
        };
        var options = new SslClientAuthenticationOptions { CertificateRevocationCheckMode = mode };
        if (authorities.Count > 0)
        {
            // No callback: the handler checks chain and name itself, and this policy only says which roots count.
            var policy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = mode,
                RevocationFlag = X509RevocationFlag.ExcludeRoot,
                DisableCertificateDownloads = true,
            };
            policy.ApplicationPolicy.Add(new Oid(ServerAuthentication));
            policy.CustomTrustStore.AddRange(authorities);
            policy.ExtraStore.AddRange(authorities);
            options.CertificateChainPolicy = policy;
        }
        if (clientCertificate is not null)
        {
            options.ClientCertificateContext = SslStreamCertificateContext.Create(clientCertificate, clientChain, offline: true);
        }
        return options;
    }

    public void Dispose()
    {
        clientCertificate?.Dispose();
        foreach (var certificate in authorities.Concat(clientChain))
        {
            certificate.Dispose();
        }
    }

    private static byte[]? Read(string key, string? path, List<string> mistakes)
    {
        if (path is null)
        {
            return null;
        }
        try
        {
            using var file = File.OpenRead(path);
            if (file.Length > LargestFile)
            {
                mistakes.Add($"{key}: {path} is over {LargestFile} bytes");
                return null;
            }
            var bytes = new byte[file.Length];
            file.ReadExactly(bytes);
            return bytes;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            mistakes.Add($"{key}: {path} cannot be read: {e.Message}");
            return null;
        }
    }

    private static byte[] Digest(params byte[]?[] files)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var file in files)
        {
            hash.AppendData(BitConverter.GetBytes(file?.Length ?? -1));
            hash.AppendData(file ?? []);
        }
        return hash.GetHashAndReset();
    }

    private void TakeToken(byte[]? bytes, List<string> mistakes)
    {
        if (bytes is null)
        {
            return;
        }
        var text = Encoding.ASCII.GetString(bytes).Trim();
        if (text.Length is 0 or > LargestToken || bytes.Any(b => b > 126) || text.Any(c => c <= ' '))
        {
            mistakes.Add($"{nameof(PluginConfiguration.TokenFile)}: does not hold one token of printable ASCII letters");
            return;
        }
        Token = text;
    }

    private void TakeAuthorities(byte[]? bytes, List<string> mistakes)
    {
        if (bytes is null)
        {
            return;
        }
        try
        {
            authorities.ImportFromPem(Encoding.ASCII.GetString(bytes));
        }
        catch (CryptographicException)
        {
            authorities.Clear();
        }
        if (authorities.Count == 0)
        {
            mistakes.Add($"{nameof(PluginConfiguration.CaFile)}: holds no certificate in PEM form");
        }
    }

    private void TakeClientCertificate(byte[]? bytes, byte[]? passwordBytes, List<string> mistakes)
    {
        if (bytes is null)
        {
            return;
        }
        // Windows keeps a key it is to sign with in a key container; elsewhere the key stays in memory.
        var storage = OperatingSystem.IsWindows() ? X509KeyStorageFlags.DefaultKeySet : X509KeyStorageFlags.EphemeralKeySet;
        try
        {
            var password = passwordBytes is null ? null : Encoding.UTF8.GetString(passwordBytes).TrimEnd('\r', '\n');
            var all = new X509Certificate2Collection();
            all.Import(bytes, password, storage);
            clientCertificate = all.FirstOrDefault(certificate => certificate.HasPrivateKey);
            clientChain.AddRange(all.Where(certificate => !ReferenceEquals(certificate, clientCertificate)).ToArray());
            if (clientCertificate is null)
            {
                mistakes.Add($"{nameof(PluginConfiguration.ClientCertificateFile)}: holds no certificate with a private key");
            }
        }
        catch (CryptographicException)
        {
            mistakes.Add($"{nameof(PluginConfiguration.ClientCertificateFile)}: is not PKCS#12, or its password is wrong");
        }
    }
}
