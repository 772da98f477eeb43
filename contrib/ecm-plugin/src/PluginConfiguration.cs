// SPDX-License-Identifier: Apache-2.0
// The plug-in's configuration: section `Jumpgate` of the host's configuration, or environment `Jumpgate__KEY`. All
// mistakes are found at once, each named with its key. A configuration that could be made is complete: every file it
// names was readable and held what it should.

using System.Globalization;
using System.Net;

namespace Jumpgate.EcmPlugin;

/// <summary>The configuration has mistakes; <see cref="Mistakes"/> has one text for each, beginning with its key.</summary>
public sealed class PluginConfigurationException(IReadOnlyList<string> mistakes)
    : Exception("the configuration of the jumpgate plug-in has mistakes: " + string.Join("; ", mistakes))
{
    public IReadOnlyList<string> Mistakes { get; } = mistakes;
}

/// <summary>The settings of the plug-in. Immutable.</summary>
public sealed class PluginConfiguration
{
    /// <summary>The section's name in the host's configuration.</summary>
    public const string Section = "Jumpgate";

    private const int LeastTimeoutMs = 300;
    private const int LargestTimeoutMs = 600_000;

    private static readonly string[] Keys =
    [
        nameof(Url), nameof(TokenFile), nameof(CaFile), nameof(Revocation), nameof(ClientCertificateFile),
        nameof(ClientCertificatePasswordFile), nameof(FindTimeoutMs), nameof(CheckoutTimeoutMs), nameof(OtherTimeoutMs),
        nameof(MaxConnections), nameof(LogLevel), nameof(MemberMap),
    ];

    /// <summary>The gateway: https, or http to loopback; no path.</summary>
    public Uri Url { get; private init; } = null!;

    /// <summary>File with the bearer token; null where a client certificate alone identifies the caller.</summary>
    public string? TokenFile { get; private init; }

    /// <summary>PEM file of the authorities; null: the operating system's. With it only they are trusted.</summary>
    public string? CaFile { get; private init; }

    /// <summary>Whether certificates are looked up in revocation lists: none, offline (cached lists), online.</summary>
    public string Revocation { get; private init; } = "none";

    /// <summary>PKCS#12 file of the client certificate and its key, or null.</summary>
    public string? ClientCertificateFile { get; private init; }

    /// <summary>File with the password of the PKCS#12 file, or null where it has none.</summary>
    public string? ClientCertificatePasswordFile { get; private init; }

    /// <summary>Deadline of find credentials and find endpoints, in milliseconds.</summary>
    public int FindTimeoutMs { get; private init; }

    /// <summary>Deadline of a check-out, in milliseconds.</summary>
    public int CheckoutTimeoutMs { get; private init; }

    /// <summary>Deadline of every other call, in milliseconds.</summary>
    public int OtherTimeoutMs { get; private init; }

    /// <summary>Most connections to the gateway at once.</summary>
    public int MaxConnections { get; private init; }

    /// <summary>Lines up to this level are logged.</summary>
    public PluginLogLevel LogLevel { get; private init; }

    /// <summary>Names of SDK members that override the built-in table.</summary>
    internal MemberMap MemberMap { get; private init; } = MemberMap.Empty;

    /// <summary>Reads the pairs of the section. Keys have no letter case; an empty value is as good as none.</summary>
    /// <exception cref="PluginConfigurationException">With every mistake there is.</exception>
    public static PluginConfiguration Read(IEnumerable<KeyValuePair<string, string?>> pairs)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        var reader = new Reader(pairs);
        var made = new PluginConfiguration
        {
            Url = reader.Url(nameof(Url)),
            TokenFile = reader.File(nameof(TokenFile)),
            CaFile = reader.File(nameof(CaFile)),
            Revocation = reader.Word(nameof(Revocation), "none", "offline", "online"),
            ClientCertificateFile = reader.File(nameof(ClientCertificateFile)),
            ClientCertificatePasswordFile = reader.File(nameof(ClientCertificatePasswordFile)),
            FindTimeoutMs = reader.Number(nameof(FindTimeoutMs), 5_000, LeastTimeoutMs, LargestTimeoutMs),
            CheckoutTimeoutMs = reader.Number(nameof(CheckoutTimeoutMs), 12_000, LeastTimeoutMs, LargestTimeoutMs),
            OtherTimeoutMs = reader.Number(nameof(OtherTimeoutMs), 5_000, LeastTimeoutMs, LargestTimeoutMs),
            MaxConnections = reader.Number(nameof(MaxConnections), 64, 1, 10_000),
            LogLevel = reader.Level(nameof(LogLevel)),
            MemberMap = reader.Map(nameof(MemberMap)),
        };
        made.CheckTogether(reader.Mistakes);
        if (reader.Mistakes.Count > 0)
        {
            throw new PluginConfigurationException(reader.Mistakes);
        }
        return made;
    }

    /// <summary>Every pair of the environment that begins with `Jumpgate__`, without that beginning.</summary>
    public static IEnumerable<KeyValuePair<string, string?>> FromEnvironment()
    {
        const string prefix = Section + "__";
        foreach (System.Collections.DictionaryEntry entry in Environment.GetEnvironmentVariables())
        {
            var name = (string)entry.Key;
            if (name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase))
            {
                yield return new(name[prefix.Length..], entry.Value as string);
            }
        }
    }

    private void CheckTogether(List<string> mistakes)
    {
        if (TokenFile is null && ClientCertificateFile is null)
        {
            mistakes.Add($"{nameof(TokenFile)}: is missing (a token, a ClientCertificateFile or both name this caller)");
        }
        if (ClientCertificatePasswordFile is not null && ClientCertificateFile is null)
        {
            mistakes.Add($"{nameof(ClientCertificatePasswordFile)}: is of no use without ClientCertificateFile");
        }
        foreach (var (key, value) in new[] { (nameof(CaFile), CaFile), (nameof(ClientCertificateFile), ClientCertificateFile) })
        {
            if (value is not null && Url is { Scheme: "http" })
            {
                mistakes.Add($"{key}: is of no use with an http address");
            }
        }
        GatewayCredentials.Load(this, mistakes)?.Dispose();
    }

    /// <summary>Takes values out of the pairs and collects what is wrong with them.</summary>
    private sealed class Reader
    {
        private readonly Dictionary<string, string> values = new(StringComparer.OrdinalIgnoreCase);

        internal Reader(IEnumerable<KeyValuePair<string, string?>> pairs)
        {
            foreach (var (key, value) in pairs)
            {
                if (!Keys.Contains(key, StringComparer.OrdinalIgnoreCase))
                {
                    Mistakes.Add($"{key}: is no key of this section; the keys are {string.Join(' ', Keys)}");
                }
                else if (!string.IsNullOrWhiteSpace(value))
                {
                    values[key] = value.Trim();
                }
            }
        }

        internal List<string> Mistakes { get; } = [];

        internal Uri Url(string key)
        {
            var nowhere = new Uri("https://unset.invalid");
            if (!values.TryGetValue(key, out var text))
            {
                Mistakes.Add($"{key}: is missing, for example https://gateway.example.com:8443");
                return nowhere;
            }
            if (!Uri.TryCreate(text, UriKind.Absolute, out var url) || url.Scheme is not ("https" or "http") || url.Host == "")
            {
                Mistakes.Add($"{key}: is not an https address");
                return nowhere;
            }
            if (url.AbsolutePath is not ("/" or "") || url.Query != "" || url.Fragment != "" || url.UserInfo != "")
            {
                Mistakes.Add($"{key}: has more than scheme, host and port");
            }
            if (url.Scheme == "http" && !IsLoopback(url))
            {
                Mistakes.Add($"{key}: http is for loopback only; use https");
            }
            return url;
        }

        private static bool IsLoopback(Uri url) =>
            IPAddress.TryParse(url.DnsSafeHost, out var address)
                ? IPAddress.IsLoopback(address)
                : url.Host.Equals("localhost", StringComparison.OrdinalIgnoreCase);

        internal string? File(string key) => values.GetValueOrDefault(key);

        internal int Number(string key, int otherwise, int least, int largest)
        {
            if (!values.TryGetValue(key, out var text))
            {
                return otherwise;
            }
            if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                || number < least || number > largest)
            {
                Mistakes.Add($"{key}: is not a whole number from {least} to {largest}");
                return otherwise;
            }
            return number;
        }

        internal string Word(string key, params string[] words)
        {
            if (!values.TryGetValue(key, out var text))
            {
                return words[0];
            }
            var found = Array.Find(words, word => word.Equals(text, StringComparison.OrdinalIgnoreCase));
            if (found is null)
            {
                Mistakes.Add($"{key}: is none of {string.Join(' ', words)}");
            }
            return found ?? words[0];
        }

        internal PluginLogLevel Level(string key) => Word(key, "info", "error", "warn", "debug", "information", "warning") switch
        {
            "error" => PluginLogLevel.Error,
            "warn" or "warning" => PluginLogLevel.Warn,
            "debug" => PluginLogLevel.Debug,
            _ => PluginLogLevel.Info,
        };

        internal MemberMap Map(string key) =>
            values.TryGetValue(key, out var path) ? MemberMap.Load(path, key, Mistakes) : MemberMap.Empty;
    }
}
