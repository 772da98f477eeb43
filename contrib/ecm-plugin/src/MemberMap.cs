// SPDX-License-Identifier: Apache-2.0
// The file of the key MemberMap: names of SDK members that override the table of SdkAdapter.cs. It is one JSON
// object. Each name is a row of that table; its value says where the SDK has the member:
//
//     { "session.id": "SessionKey",                        one name
//       "session.lsid": ["Details.Lsid", "Lsid"],          several, tried in order; a dot goes into a member
//       "jump_item.port": { "names": [], "need": "optional" },
//       "endpoint_types": { "RemoteDesktop": "rdp" } }     values of the SDK's enumeration
//
// Not here: the table itself, and what is done with a member.

using System.Text.Json;

namespace Jumpgate.EcmPlugin;

/// <summary>What a call does without a member.</summary>
internal enum Need
{
    /// <summary>The member is left out.</summary>
    Optional,

    /// <summary>The call fails.</summary>
    Call,

    /// <summary>The call fails, and so does the health check.</summary>
    Health,
}

/// <summary>One row of a member map: names in order, and what their absence means; null keeps the table's.</summary>
internal sealed record MemberOverride(string[]? Names, Need? Need);

internal sealed class MemberMap
{
    private const int LargestFile = 256 * 1024;
    private const string EndpointTypesKey = "endpoint_types";

    internal static readonly MemberMap Empty = new();

    private static readonly JsonDocumentOptions Options = new() { CommentHandling = JsonCommentHandling.Skip, MaxDepth = 4 };

    /// <summary>Rows by the name of the table's row.</summary>
    internal Dictionary<string, MemberOverride> Rows { get; } = new(StringComparer.Ordinal);

    /// <summary>Words of the gateway by names of the SDK's enumeration of endpoint types.</summary>
    internal Dictionary<string, string> EndpointTypes { get; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Reads the file; what is wrong with it is added to <paramref name="mistakes"/>.</summary>
    internal static MemberMap Load(string path, string key, List<string> mistakes)
    {
        byte[] bytes;
        try
        {
            using var file = File.OpenRead(path);
            if (file.Length > LargestFile)
            {
                mistakes.Add($"{key}: {path} is over {LargestFile} bytes");
                return Empty;
            }
            bytes = new byte[file.Length];
            file.ReadExactly(bytes);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            mistakes.Add($"{key}: {path} cannot be read: {e.Message}");
            return Empty;
        }
        return Parse(bytes, message => mistakes.Add($"{key}: {path}: {message}"));
    }

    /// <summary>Reads the text; what is wrong with it goes to <paramref name="mistake"/>.</summary>
    internal static MemberMap Parse(ReadOnlyMemory<byte> text, Action<string> mistake)
    {
        var map = new MemberMap();
        try
        {
            using var document = JsonDocument.Parse(text, Options);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                mistake("is not a JSON object");
                return map;
            }
            foreach (var member in document.RootElement.EnumerateObject())
            {
                map.Take(member.Name, member.Value, mistake);
            }
        }
        catch (JsonException e)
        {
            mistake($"is not JSON (line {e.LineNumber + 1})");
        }
        return map;
    }

    private void Take(string name, JsonElement value, Action<string> mistake)
    {
        if (name == EndpointTypesKey)
        {
            TakeEndpointTypes(value, mistake);
        }
        else if (!SdkAdapter.HasRow(name))
        {
            mistake($"\"{name}\" is no member; the members are {SdkAdapter.RowNames} {EndpointTypesKey}");
        }
        else if (value.ValueKind == JsonValueKind.Object)
        {
            var names = value.TryGetProperty("names", out var list) ? Names(list) : null;
            var need = Need(value, out var known);
            if (!known || (value.TryGetProperty("names", out _) && names is null))
            {
                mistake($"\"{name}\": \"names\" is a text or a list of texts, \"need\" is one of optional call health");
                return;
            }
            Rows[name] = new(names, need);
        }
        else if (Names(value) is { } names)
        {
            Rows[name] = new(names, null);
        }
        else
        {
            mistake($"\"{name}\" is neither a name nor a list of names nor an object");
        }
    }

    private void TakeEndpointTypes(JsonElement value, Action<string> mistake)
    {
        if (value.ValueKind != JsonValueKind.Object)
        {
            mistake($"\"{EndpointTypesKey}\" is not an object");
            return;
        }
        foreach (var pair in value.EnumerateObject())
        {
            if (pair.Value.ValueKind == JsonValueKind.String && pair.Value.GetString() is "rdp" or "shell" or "other")
            {
                EndpointTypes[pair.Name] = pair.Value.GetString()!;
            }
            else
            {
                mistake($"\"{EndpointTypesKey}\": \"{pair.Name}\" is none of rdp shell other");
            }
        }
    }

    private static Need? Need(JsonElement row, out bool known)
    {
        known = true;
        if (!row.TryGetProperty("need", out var need))
        {
            return null;
        }
        switch (need.ValueKind == JsonValueKind.String ? need.GetString() : null)
        {
            case "optional": return EcmPlugin.Need.Optional;
            case "call": return EcmPlugin.Need.Call;
            case "health": return EcmPlugin.Need.Health;
            default: known = false; return null;
        }
    }

    private static string[]? Names(JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.String)
        {
            return [value.GetString()!];
        }
        if (value.ValueKind != JsonValueKind.Array || value.EnumerateArray().Any(e => e.ValueKind != JsonValueKind.String))
        {
            return null;
        }
        return [.. value.EnumerateArray().Select(e => e.GetString()!)];
    }
}
